package auth

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// one is an algorithm with a key and everything a test needs to break it.
type one struct {
	signer
	other  signer // the same algorithm, another key
	config Config
}

func everyAlgorithm(t testing.TB) []one {
	t.Helper()
	hs, rs, es := base("HS256"), base("RS256"), base("ES256")
	hs.Secret = secret
	rs.PublicKeyFile = file(t, rsaKey().pem())
	es.PublicKeyFile = file(t, ecKey().pem())
	return []one{
		{hmacKey, hs256(bytes.Repeat([]byte("x"), 32)), hs},
		{rsaKey(), rsaNext(), rs},
		{ecKey(), ecNext(), es},
	}
}

func TestGoodTokens(t *testing.T) {
	exp := start.Add(time.Hour)
	cases := []struct {
		name   string
		claims string
		want   Claims
	}{
		{"plain", good, Claims{Subject: "ada", Expiry: exp}},
		{"audience in a list", claims(map[string]any{"aud": []string{"other", "aviary"}}), Claims{Subject: "ada", Expiry: exp}},
		{"no subject", claims(map[string]any{"sub": nil}), Claims{Expiry: exp}},
		{"claims of its own", claims(map[string]any{"rooms": []any{1, "zwei", map[string]any{"exp": "no date"}}}), Claims{Subject: "ada", Expiry: exp}},
		{"expired within the leeway", claims(map[string]any{"exp": start.Unix() - 30}), Claims{Subject: "ada", Expiry: start.Add(-30 * time.Second)}},
		{"not yet valid within the leeway", claims(map[string]any{"nbf": start.Unix() + 30}), Claims{Subject: "ada", Expiry: exp}},
		{"issued in the future", claims(map[string]any{"iat": start.Unix() + 9999}), Claims{Subject: "ada", Expiry: exp}},
		{"expiry with a fraction", claims(map[string]any{"exp": float64(exp.Unix()) + 0.9}), Claims{Subject: "ada", Expiry: exp}},
		{"white space", " \n" + good + "\t", Claims{Subject: "ada", Expiry: exp}},
		{"a name in another case is another claim", strings.Replace(good, `{`, `{"Sub":1,"EXP":"x",`, 1), Claims{Subject: "ada", Expiry: exp}},
	}
	for _, a := range everyAlgorithm(t) {
		v, _ := open(t, a.config)
		for _, c := range cases {
			t.Run(a.alg+"/"+c.name, func(t *testing.T) {
				got, err := v.Verify(t.Context(), a.token(c.claims))
				if err != nil {
					t.Fatal(err)
				}
				if got.Subject != c.want.Subject || !got.Expiry.Equal(c.want.Expiry) {
					t.Errorf("subject %q, expiry %s, want %q, %s", got.Subject, got.Expiry, c.want.Subject, c.want.Expiry)
				}
				if string(got.JSON) != c.claims {
					t.Errorf("JSON %s, want it as it was signed: %s", got.JSON, c.claims)
				}
			})
		}
	}
}

// badToken is a token and why it is refused.
type badToken struct {
	name  string
	token string
	want  error
}

func (a one) badTokens() []badToken {
	ok := a.token(good)
	parts := strings.Split(ok, ".")
	header, claimed, sig := parts[0], parts[1], parts[2]
	cutSig := a.sign([]byte(header + "." + claimed))
	cutSig = cutSig[:len(cutSig)-1]
	bad := []badToken{
		{"empty", "", ErrMalformed},
		{"garbage", "hello", ErrMalformed},
		{"not base64", "a!.b!.c!", ErrMalformed},
		{"binary", "\x00\xff.\x00.\x00", ErrMalformed},
		{"only dots", "..", ErrMalformed},
		{"two parts", header + "." + claimed, ErrMalformed},
		{"four parts", ok + "." + sig, ErrMalformed},
		{"five parts, as of an encrypted token", ok + "." + sig + "." + sig, ErrMalformed},
		{"line break within", header + "." + claimed[:4] + "\n" + claimed[4:] + "." + sig, ErrMalformed},
		{"line break behind", ok + "\n", ErrMalformed},
		{"space before", " " + ok, ErrMalformed},
		{"padding", ok + "=", ErrMalformed},
		{"as JSON and not compact", fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, claimed, header, sig), ErrMalformed},
		{"signature cut by a byte", header + "." + claimed + "." + b64(cutSig), ErrSignature},
		{"signature missing", header + "." + claimed + ".", ErrSignature},
		{"signature of another key", a.other.token(good), ErrSignature},
		{"claims changed", header + "." + b64([]byte(claims(map[string]any{"sub": "eve"}))) + "." + sig, ErrSignature},
		{"header changed", b64([]byte(fmt.Sprintf(`{"alg":%q}`, a.alg))) + "." + claimed + "." + sig, ErrSignature},
		{"8 KiB and a byte", ok + strings.Repeat("A", maxToken+1-len(ok)), ErrMalformed},
		{"a megabyte", strings.Repeat("A", 1<<20), ErrMalformed},
	}
	return append(append(bad, a.badHeaders()...), a.badClaims()...)
}

func (a one) badHeaders() []badToken {
	with := func(header string) string { return a.raw(header, good) }
	bad := []badToken{
		{"header not JSON", with(`alg`), ErrMalformed},
		{"header a list", with(`["alg"]`), ErrMalformed},
		{"header null", with(`null`), ErrMalformed},
		{"no alg", with(`{}`), ErrAlgorithm},
		{"alg a number", with(`{"alg":256}`), ErrAlgorithm},
		{"alg in another case", with(fmt.Sprintf(`{"alg":%q}`, strings.ToLower(a.alg))), ErrAlgorithm},
		{"alg twice", with(fmt.Sprintf(`{"alg":%q,"alg":"none"}`, a.alg)), ErrMalformed},
		{"kid a number", with(fmt.Sprintf(`{"alg":%q,"kid":1}`, a.alg)), ErrMalformed},
		{"critical extension", with(fmt.Sprintf(`{"alg":%q,"crit":["exp"],"exp":1}`, a.alg)), ErrMalformed},
		{"claims not in base64", with(fmt.Sprintf(`{"alg":%q,"b64":false,"crit":["b64"]}`, a.alg)), ErrMalformed},
		{"b64 without crit", with(fmt.Sprintf(`{"alg":%q,"b64":false}`, a.alg)), ErrMalformed},
		{"a key of its own", a.other.raw(fmt.Sprintf(`{"alg":%q,"jwk":%s}`, a.alg, ecNext().jwk("")), good), ErrSignature},
		{"a private key of its own", with(fmt.Sprintf(`{"alg":%q,"jwk":{"kty":"oct","k":"AAAA"}}`, a.alg)), ErrMalformed},
		{"a broken certificate", with(fmt.Sprintf(`{"alg":%q,"x5c":["AAAA"]}`, a.alg)), ErrMalformed},
	}
	for _, alg := range []string{"none", "None", "NONE", "", "HS384", "HS512", "RS384", "RS512", "PS256", "ES384", "ES512", "EdDSA", "HS256", "RS256", "ES256"} {
		if alg == a.alg {
			continue
		}
		head := fmt.Sprintf(`{"alg":%q}`, alg)
		bad = append(bad,
			badToken{"alg " + alg, with(head), ErrAlgorithm},
			badToken{"alg " + alg + " without signature", b64([]byte(head)) + "." + b64([]byte(good)) + ".", ErrAlgorithm})
	}
	return bad
}

func (a one) badClaims() []badToken {
	with := func(name string, v any) string { return a.token(claims(map[string]any{name: v})) }
	now := start.Unix()
	return []badToken{
		{"claims not JSON", a.token("hello"), ErrMalformed},
		{"claims a list", a.token("[" + good + "]"), ErrMalformed},
		{"claims null", a.token("null"), ErrMalformed},
		{"claims a string", a.token(`"ada"`), ErrMalformed},
		{"something behind the claims", a.token(good + "{}"), ErrMalformed},
		{"claims not UTF-8", a.token(strings.Replace(good, "ada", "\xff", 1)), ErrMalformed},
		{"claims nested too deep", a.token(strings.Replace(good, `{`, `{"x":`+strings.Repeat("[", 1100)+strings.Repeat("]", 1100)+`,`, 1)), ErrMalformed},
		{"a claim twice", a.token(strings.Replace(good, `{`, `{"sub":"eve",`, 1)), ErrMalformed},
		{"a claim of its own twice", a.token(strings.Replace(good, `{`, `{"x":1,"x":2,`, 1)), ErrMalformed},
		{"subject a number", with("sub", 1), ErrMalformed},

		{"expired", with("exp", now-31), ErrExpired},
		{"expired long ago", with("exp", 0), ErrExpired},
		{"expired before all time", with("exp", -1e18), ErrExpired},
		{"no expiry", with("exp", nil), ErrNoExpiry},
		{"expiry null", a.token(strings.Replace(claims(map[string]any{"exp": nil}), `{`, `{"exp":null,`, 1)), ErrNoExpiry},
		{"expiry a string", with("exp", fmt.Sprint(now+3600)), ErrMalformed},
		{"expiry beyond all time", with("exp", 1e300), ErrMalformed},
		{"expiry beyond all numbers", a.token(strings.Replace(claims(map[string]any{"exp": nil}), `{`, `{"exp":1e999,`, 1)), ErrMalformed},
		{"not yet valid", with("nbf", now+31), ErrNotYetValid},
		{"not valid before the end of time", with("nbf", 4e18), ErrNotYetValid},
		{"not before a string", with("nbf", "soon"), ErrMalformed},

		{"no issuer", with("iss", nil), ErrIssuer},
		{"another issuer", with("iss", "https://issuer.example/"), ErrIssuer},
		{"issuer in another case", with("iss", "https://Issuer.example"), ErrIssuer},
		{"issuer a list", with("iss", []string{"https://issuer.example"}), ErrMalformed},
		{"no audience", with("aud", nil), ErrAudience},
		{"another audience", with("aud", "aviary2"), ErrAudience},
		{"other audiences", with("aud", []string{"a", "b"}), ErrAudience},
		{"empty audience", with("aud", []string{}), ErrAudience},
		{"audience a number", with("aud", 7), ErrMalformed},
		{"audience with a number", with("aud", []any{"aviary", 7}), ErrMalformed},
	}
}

func sentinels() []error {
	return []error{
		ErrMalformed, ErrAlgorithm, ErrUnknownKey, ErrSignature, ErrExpired, ErrNoExpiry, ErrNotYetValid,
		ErrIssuer, ErrAudience, ErrKeysUnavailable,
	}
}

// checkRefusal wants err to be want and no other of the sentinels, and to tell
// nothing of the token.
func checkRefusal(t testing.TB, token string, err, want error) {
	t.Helper()
	for _, s := range sentinels() {
		if errors.Is(err, s) != errors.Is(want, s) {
			t.Fatalf("error %v, want %v", err, want)
		}
	}
	for _, part := range strings.Split(token, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Fatalf("the error carries a part of the token: %v", err)
		}
	}
}

func TestBadTokens(t *testing.T) {
	for _, a := range everyAlgorithm(t) {
		v, _ := open(t, a.config)
		for _, c := range a.badTokens() {
			t.Run(a.alg+"/"+c.name, func(t *testing.T) {
				got, err := v.Verify(t.Context(), c.token)
				if got != nil || err == nil {
					t.Fatalf("accepted with %s, want %v", got.JSON, c.want)
				}
				checkRefusal(t, c.token, err, c.want)
			})
		}
	}
}

// A good token of 8 KiB passes, one of a few bytes more does not.
func TestTokenIsBounded(t *testing.T) {
	c := base("HS256")
	c.Secret = secret
	v, _ := open(t, c)
	filled := func(n int) string { return hmacKey.token(claims(map[string]any{"x": strings.Repeat("x", n)})) }
	n := (maxToken - len(filled(0))) / 4 * 3
	token, long := filled(n), filled(n+3)
	if len(token) > maxToken || len(long) <= maxToken {
		t.Fatalf("tokens of %d and %d bytes are not on both sides of %d", len(token), len(long), maxToken)
	}
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
	_, err := v.Verify(t.Context(), long)
	checkRefusal(t, long, err, ErrMalformed)
	if want := fmt.Sprintf("token is malformed: it has %d bytes, the limit is 8192", len(long)); err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

// The same token with the spare bits of its last character set reads as the same
// bytes, and must not pass.
func TestSameBytesHaveOneSpelling(t *testing.T) {
	c := base("HS256")
	c.Secret = secret
	v, _ := open(t, c)
	token := hmacKey.token(good)
	last := token[len(token)-1]
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	at := strings.IndexByte(alphabet, last)
	other := token[:len(token)-1] + alphabet[at|1:at|1+1] // 32 bytes leave two bits of it unused
	if other == token {
		t.Fatalf("%c has spare bits set already", last)
	}
	if _, err := v.Verify(t.Context(), other); !errors.Is(err, ErrMalformed) {
		t.Fatalf("error %v, want %v", err, ErrMalformed)
	}
}

// A public key is known to everybody. If its PEM text ever served as the secret
// of HS256, anybody could sign.
func TestPublicKeyNeverServesAsSecret(t *testing.T) {
	known := rsaKey().pem()
	forged := hs256([]byte(known)).token(good)
	onlyRSA, both := base("RS256"), base("HS256", "RS256")
	onlyRSA.PublicKeyFile = file(t, known)
	both.PublicKeyFile, both.Secret = onlyRSA.PublicKeyFile, secret

	v, _ := open(t, onlyRSA)
	_, err := v.Verify(t.Context(), forged)
	checkRefusal(t, forged, err, ErrAlgorithm)

	v, _ = open(t, both)
	_, err = v.Verify(t.Context(), forged)
	checkRefusal(t, forged, err, ErrSignature)
	for _, s := range []signer{hmacKey, rsaKey()} {
		if _, err := v.Verify(t.Context(), s.token(good)); err != nil {
			t.Errorf("%s beside the other: %v", s.alg, err)
		}
	}
}

func TestUncheckedClaims(t *testing.T) {
	v, ck := open(t, Config{Algorithms: []string{"HS256"}, Secret: secret, AllowNoExpiry: true, Leeway: time.Nanosecond})
	ck.advance(100 * 365 * 24 * time.Hour)
	got, err := v.Verify(t.Context(), hmacKey.token(`{}`))
	if err != nil || !got.Expiry.IsZero() || got.Subject != "" || string(got.JSON) != "{}" {
		t.Fatalf("claims %+v, error %v", got, err)
	}
	_, err = v.Verify(t.Context(), hmacKey.token(good))
	checkRefusal(t, "", err, ErrExpired)
	const want = "token has expired: 875999h0m0s ago, the leeway is 1ns"
	if err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

// A caller may keep and change what it was given, and its own configuration.
func TestNothingIsShared(t *testing.T) {
	c := base("HS256")
	c.Secret = bytes.Clone(secret)
	v, _ := open(t, c)
	clear(c.Secret)
	c.Algorithms[0] = "ES256"
	token := hmacKey.token(good)
	for range 2 {
		got, err := v.Verify(t.Context(), token)
		if err != nil || string(got.JSON) != good {
			t.Fatalf("claims %+v, error %v", got, err)
		}
		clear(got.JSON)
	}
}
