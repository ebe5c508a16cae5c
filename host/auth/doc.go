// Package auth checks the JSON Web Token that a client shows when it connects
// (RFC 7519, signed as RFC 7515 says), so that a plugin need not do it. [New]
// makes a Verifier from a [Config], [Verifier.Verify] checks a token,
// [Verifier.Close] ends it.
//
//	header.claims.signature
//
//	Verify   size, base64url, header   a bad one ends here, before any key is looked for
//	         key by alg and kid        keys.go: from a secret, a PEM file, a JWKS file or a JWKS URL
//	         signature                 go-jose
//	         claims                    JSON as package wire defines it, then iss, aud, nbf, exp
//
// HS256, RS256 and ES256 are spoken, and each has its own type of key: what the
// header says never makes a key serve another algorithm (RFC 8725 section 3.1).
// Keys and URLs inside a token are not looked at.
//
// # Keys that change
//
// A JWKS file (file.go) is looked at again when a token comes, a URL (remote.go)
// is fetched by a goroutine of the Verifier. Whatever goes wrong there, the keys
// of the last good file or answer stay in use; only a Verifier that never had
// any answers with [ErrKeysUnavailable].
//
// # Concurrency
//
// Every method of a Verifier may be called from any goroutine. With keys at
// hand, Verify takes no lock that another holds while it works, and waits for
// nobody. Only with a JWKS URL, for a token whose key it does not have, it waits
// for a fetch, for as long as its context allows.
package auth
