package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// maxKeys bounds a file or an answer with keys, in bytes.
const maxKeys = 1 << 20

// minRSA is the least length of an RSA key, in bits (RFC 7518 section 3.3).
const minRSA = 2048

// keySource has the public keys.
type keySource interface {
	// key returns the key for alg that kid names, or an error of this package.
	// It waits at most for ctx.
	key(ctx context.Context, alg jose.SignatureAlgorithm, kid string) (any, error)
	// close ends what the source has started. It may be called again.
	close()
}

// publicKey is a key that checks signatures of one algorithm.
type publicKey struct {
	alg jose.SignatureAlgorithm
	kid string // may be empty
	key any    // *rsa.PublicKey or *ecdsa.PublicKey
}

// keySet is never changed once it is made.
type keySet []publicKey

// find returns the key for alg that kid names. Where one of the two has no name,
// the only key of its type is the one.
func (s keySet) find(alg jose.SignatureAlgorithm, kid string) (any, error) {
	var only publicKey
	count := 0
	for _, k := range s {
		if k.alg != alg {
			continue
		}
		if kid != "" && k.kid == kid {
			return k.key, nil
		}
		only = k
		count++
	}
	switch {
	case count == 1 && (kid == "" || only.kid == ""):
		return only.key, nil
	case kid == "" && count > 1:
		return nil, fmt.Errorf("%w: it has no kid, and there are %d keys for %s", ErrUnknownKey, count, alg)
	default:
		return nil, fmt.Errorf("%w: no key for %s has its kid", ErrUnknownKey, alg)
	}
}

// algorithmOf returns the one algorithm that a key serves.
func algorithmOf(key any) (jose.SignatureAlgorithm, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < minRSA {
			return "", fmt.Errorf("an RSA key of %d bits, RS256 needs at least %d", n, minRSA)
		}
		return jose.RS256, nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return "", fmt.Errorf("an EC key on %s, ES256 needs P-256", k.Params().Name)
		}
		return jose.ES256, nil
	default:
		return "", errors.New("not a public key of RSA or EC")
	}
}

// parseKeySet reads a JSON Web Key Set and keeps the keys for the wanted
// algorithms. Others are left out, as RFC 7517 section 5 wants; a set of which
// nothing is left is an error.
func parseKeySet(text []byte, wanted []jose.SignatureAlgorithm) (keySet, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("not a JSON Web Key Set: %w", err)
	}
	var set keySet
	first := errors.New("a JSON Web Key Set has them in its member keys")
	for i, raw := range doc.Keys {
		k, err := parseKey(raw, wanted)
		if err == nil {
			set = append(set, k)
		} else if i == 0 {
			first = fmt.Errorf("the first is %w", err)
		}
	}
	if len(set) == 0 {
		return nil, fmt.Errorf("none of %d keys is for %v: %w", len(doc.Keys), wanted, first)
	}
	return set, nil
}

// parseKey reads one key, and says of others what they are.
func parseKey(raw []byte, wanted []jose.SignatureAlgorithm) (publicKey, error) {
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(raw); err != nil {
		return publicKey{}, fmt.Errorf("not readable: %w", err)
	}
	alg, err := algorithmOf(k.Key)
	if err != nil {
		return publicKey{}, err
	}
	var more struct {
		Ops []string `json:"key_ops"` // go-jose does not look at it
	}
	if err := json.Unmarshal(raw, &more); err != nil {
		return publicKey{}, fmt.Errorf("not readable: %w", err)
	}
	// RFC 7517 sections 4.2 to 4.4.
	switch {
	case k.Use != "" && k.Use != "sig":
		return publicKey{}, fmt.Errorf("for the use %q", k.Use)
	case more.Ops != nil && !slices.Contains(more.Ops, "verify"):
		return publicKey{}, fmt.Errorf("for the operations %q", more.Ops)
	case k.Algorithm != "" && k.Algorithm != string(alg):
		return publicKey{}, fmt.Errorf("for the algorithm %q", k.Algorithm)
	case !slices.Contains(wanted, alg):
		return publicKey{}, fmt.Errorf("for the algorithm %q", alg)
	}
	return publicKey{alg: alg, kid: k.KeyID, key: k.Key}, nil
}

// readKeys reads all of r, up to maxKeys.
func readKeys(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxKeys+1))
	if err == nil && len(text) > maxKeys {
		err = fmt.Errorf("longer than the limit of %d bytes", maxKeys)
	}
	return text, err
}
