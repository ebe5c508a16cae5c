package auth

import (
	"crypto/elliptic"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestKeySetOfWhichNothingIsLeft(t *testing.T) {
	rs, es := []jose.SignatureAlgorithm{jose.RS256}, []jose.SignatureAlgorithm{jose.RS256, jose.ES256}
	cases := []struct {
		name   string
		text   string
		wanted []jose.SignatureAlgorithm
		want   string // begin of the error
	}{
		{"empty", "", rs, "not a JSON Web Key Set: unexpected end of JSON input"},
		{"HTML", "<html>", rs, "not a JSON Web Key Set: invalid character '<'"},
		{"a list", "[]", rs, "not a JSON Web Key Set: "},
		{"null", "null", rs, "none of 0 keys is for [RS256]: a JSON Web Key Set has them in its member keys"},
		{"one key and no set", rsaKey().jwk(""), rs, "none of 0 keys is for [RS256]: a JSON Web Key Set has them in its member keys"},
		{"no keys", jwks(), rs, "none of 0 keys is for [RS256]: "},
		{"another algorithm", jwks(ecKey().jwk("")), rs, `none of 1 keys is for [RS256]: the first is for the algorithm "ES256"`},
		{"for encryption", jwks(rsaKey().jwk(`"use":"enc"`)), rs, `none of 1 keys is for [RS256]: the first is for the use "enc"`},
		{"for signing alone", jwks(rsaKey().jwk(`"key_ops":["sign"]`)), rs, `none of 1 keys is for [RS256]: the first is for the operations ["sign"]`},
		{"for RS512", jwks(rsaKey().jwk(`"alg":"RS512"`)), rs, `none of 1 keys is for [RS256]: the first is for the algorithm "RS512"`},
		{"RSA that says HS256", jwks(rsaKey().jwk(`"alg":"HS256"`)), rs, `none of 1 keys is for [RS256]: the first is for the algorithm "HS256"`},
		{"short RSA", jwks(rs256(1024).jwk("")), rs, "none of 1 keys is for [RS256]: the first is an RSA key of 1024 bits, RS256 needs at least 2048"},
		{"P-384", jwks(es256(elliptic.P384()).jwk("")), es, "none of 1 keys is for [RS256 ES256]: the first is an EC key on P-384, ES256 needs P-256"},
		{"secret", jwks(fmt.Sprintf(`{"kty":"oct","k":%q}`, b64(secret))), es, "none of 1 keys is for [RS256 ES256]: the first is not a public key of RSA or EC"},
		{"point off the curve", jwks(fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, b64(secret), b64(secret))), es, "none of 1 keys is for [RS256 ES256]: the first is not readable: "},
		{"no key", jwks("null", "7"), es, "none of 2 keys is for [RS256 ES256]: the first is not readable: "},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			set, err := parseKeySet([]byte(c.text), c.wanted)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("keys %v, error %v\nwant %s...", set, err, c.want)
			}
		})
	}
}

func TestFindKey(t *testing.T) {
	const unreadable = `{"kty":"XYZ","kid":"a"}`
	rsa1, rsa2, ec1 := rsaKey(), rsaNext(), ecKey()
	sets := map[string]string{
		"one of each":  jwks(unreadable, rsa1.jwk(`"kid":"a","use":"sig"`), ec1.jwk(`"kid":"b","alg":"ES256"`)),
		"two":          jwks(rsa1.jwk(`"kid":"a"`), rsa2.jwk(`"kid":"b","key_ops":["verify"]`)),
		"no kid":       jwks(rsa1.jwk(""), ec1.jwk("")),
		"two, no kid":  jwks(rsa1.jwk(""), rsa2.jwk("")),
		"two, one kid": jwks(rsa1.jwk(""), rsa2.jwk(`"kid":"b"`)),
		"kid of both":  jwks(rsa1.jwk(`"kid":"a"`), ec1.jwk(`"kid":"a"`)),
	}
	cases := []struct {
		set  string
		alg  jose.SignatureAlgorithm
		kid  string
		want any // nil: unknown
	}{
		{"one of each", jose.RS256, "a", rsa1.public},
		{"one of each", jose.RS256, "", rsa1.public},
		{"one of each", jose.RS256, "b", nil},
		{"one of each", jose.ES256, "b", ec1.public},
		{"one of each", jose.ES256, "a", nil},
		{"two", jose.RS256, "a", rsa1.public},
		{"two", jose.RS256, "b", rsa2.public},
		{"two", jose.RS256, "c", nil},
		{"two", jose.RS256, "", nil},
		{"two", jose.ES256, "a", nil},
		{"no kid", jose.RS256, "any", rsa1.public},
		{"no kid", jose.ES256, "", ec1.public},
		{"two, no kid", jose.RS256, "a", nil},
		{"two, no kid", jose.RS256, "", nil},
		{"two, one kid", jose.RS256, "b", rsa2.public},
		{"two, one kid", jose.RS256, "c", nil},
		{"kid of both", jose.RS256, "a", rsa1.public},
		{"kid of both", jose.ES256, "a", ec1.public},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s/%s %q", c.set, c.alg, c.kid), func(t *testing.T) {
			set, err := parseKeySet([]byte(sets[c.set]), []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
			if err != nil {
				t.Fatal(err)
			}
			got, err := set.find(c.alg, c.kid)
			if c.want == nil {
				if !errors.Is(err, ErrUnknownKey) {
					t.Fatalf("key %v, error %v, want %v", got, err, ErrUnknownKey)
				}
				return
			}
			if k, ok := c.want.(interface{ Equal(x any) bool }); err != nil || ok && !k.Equal(got) {
				t.Fatalf("another key, error %v", err)
			}
		})
	}
}
