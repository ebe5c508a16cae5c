package auth

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzVerify: of all texts only the tokens that were signed pass, in the one
// spelling that they were given.
func FuzzVerify(f *testing.F) {
	c := base("HS256", "RS256", "ES256")
	c.Secret = secret
	c.JWKSFile = file(f, jwks(rsaKey().jwk(`"kid":"a"`), ecKey().jwk("")))
	v, _ := open(f, c)
	signed := map[string]bool{}
	for _, s := range []signer{hmacKey, rsaKey(), ecKey()} {
		for _, token := range []string{s.token(good), s.keyed("a")} {
			signed[token] = true
			f.Add(token)
		}
	}
	for _, a := range everyAlgorithm(f) {
		for _, b := range a.badTokens() {
			if len(b.token) <= 2*maxToken {
				f.Add(b.token)
			}
		}
	}
	f.Fuzz(func(t *testing.T, token string) {
		got, err := v.Verify(t.Context(), token)
		if err != nil {
			checkFuzzed(t, token, err)
			return
		}
		if !signed[token] || string(got.JSON) != good {
			t.Fatalf("accepted %q with %s", token, got.JSON)
		}
	})
}

// checkFuzzed wants exactly one of the sentinels, and nothing of the token.
func checkFuzzed(t *testing.T, token string, err error) {
	t.Helper()
	for _, s := range sentinels() {
		if errors.Is(err, s) {
			checkRefusal(t, token, err, s)
			return
		}
	}
	t.Fatalf("%q is refused with an error of no kind: %v", token, err)
}

// FuzzSigned: whatever an issuer signs, what is accepted says the same to
// encoding/json, which plugins and people may read it with.
func FuzzSigned(f *testing.F) {
	c := base("HS256")
	c.Secret = secret
	v, ck := open(f, c)
	for _, text := range []string{
		good, " " + good, good + "{}", "null", "[]", `{"exp":null}`, `{"exp":1e400}`, `{"a":1,"a":2}`,
		claims(map[string]any{"aud": []string{"x", "aviary"}}), claims(map[string]any{"nbf": start.Unix() + 30}),
		claims(map[string]any{"exp": float64(start.Unix()) - 29.5}), claims(map[string]any{"sub": "\u2028é"}),
	} {
		f.Add(`{"alg":"HS256"}`, text)
		f.Add(`{"alg":"HS256","crit":["b64"],"b64":false,"kid":"x"}`, text)
	}
	f.Fuzz(func(t *testing.T, header, text string) {
		token := hmacKey.raw(header, text)
		got, err := v.Verify(t.Context(), token)
		if err != nil {
			checkFuzzed(t, token, err)
			return
		}
		// A map minds the case of names.
		var head, want map[string]any
		if err := errors.Join(json.Unmarshal([]byte(header), &head), json.Unmarshal([]byte(text), &want)); err != nil || !utf8.ValidString(text) {
			t.Fatalf("accepted header %q, claims %q: %v", header, text, err)
		}
		sub, _ := want["sub"].(string)
		exp, ok := want["exp"].(float64)
		now := ck.clock().now()
		switch {
		case head["alg"] != "HS256" || head["crit"] != nil || head["b64"] != nil:
			t.Fatalf("accepted header %q", header)
		case !ok || int64(exp) != got.Expiry.Unix() || now.Sub(got.Expiry) > 30*time.Second:
			t.Fatalf("accepted expiry %v as %s: %q", want["exp"], got.Expiry, text)
		case sub != got.Subject || want["iss"] != c.Issuer || !hasAudience(want["aud"], c.Audience):
			t.Fatalf("accepted for %q: %q", got.Subject, text)
		case string(got.JSON) != text || !strings.Contains(text, "{"):
			t.Fatalf("JSON %q, want it as it was signed: %q", got.JSON, text)
		}
	})
}

func hasAudience(aud any, want string) bool {
	list, ok := aud.([]any)
	if !ok {
		list = []any{aud}
	}
	for _, a := range list {
		if a == want {
			return true
		}
	}
	return false
}

// FuzzKeySet: whatever a server answers, keys that are kept fit.
func FuzzKeySet(f *testing.F) {
	for _, text := range []string{
		jwks(rsaKey().jwk(`"kid":"a","use":"sig"`), ecKey().jwk(`"alg":"ES256"`)), jwks("null", "{}"), "[]", `{"keys":{}}`,
	} {
		f.Add([]byte(text))
	}
	wanted := base("RS256", "ES256")
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := parseKeySet(text, wanted.publicAlgorithms())
		if (err == nil) != (len(set) > 0) {
			t.Fatalf("%d keys, error %v", len(set), err)
		}
		for _, k := range set {
			if alg, err := algorithmOf(k.key); err != nil || alg != k.alg {
				t.Fatalf("a key for %s is one for %s: %v", k.alg, alg, err)
			}
		}
	})
}
