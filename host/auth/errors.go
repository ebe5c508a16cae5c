package auth

import "errors"

// The ways in which a token is refused; errors.Is tells them apart. No message
// carries the token or any text out of it, so all of them may be logged.
var (
	// ErrMalformed is a text that is no signed token, or one with claims that
	// are not what RFC 7519 says; one over 8 KiB among them.
	ErrMalformed = errors.New("token is malformed")
	// ErrAlgorithm is a token whose header names an algorithm that is not
	// among Config.Algorithms, such as none.
	ErrAlgorithm = errors.New("token has an algorithm that is not accepted")
	// ErrUnknownKey is a token for which none of the keys fits.
	ErrUnknownKey = errors.New("token has an unknown key")
	// ErrSignature is a token that was not signed with the key it names, or was
	// changed since.
	ErrSignature = errors.New("token has a wrong signature")
	// ErrExpired is a token after its exp claim and the leeway.
	ErrExpired = errors.New("token has expired")
	// ErrNoExpiry is a token without exp, where Config.AllowNoExpiry is not set.
	ErrNoExpiry = errors.New("token has no expiry")
	// ErrNotYetValid is a token before its nbf claim, less the leeway.
	ErrNotYetValid = errors.New("token is not valid yet")
	// ErrIssuer is a token whose iss claim is not Config.Issuer.
	ErrIssuer = errors.New("token is from another issuer")
	// ErrAudience is a token whose aud claim does not contain Config.Audience.
	ErrAudience = errors.New("token is for another audience")
	// ErrKeysUnavailable says nothing about the token: the keys from
	// Config.JWKSURL have not been loaded once so far. The log tells why.
	ErrKeysUnavailable = errors.New("keys to check tokens with are not available")
)

// errConfig is wrapped by every refusal of a Config.
var errConfig = errors.New("auth configuration")
