package host

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func TestTokenNamesItsSocket(t *testing.T) {
	now := time.Now()
	random, shared := newTokens(""), newTokens("a secret")
	again, other := newTokens("a secret"), newTokens("another secret")
	token := shared.sign("SOCKET", now)
	for name, keys := range map[string]*tokens{"who signed it": &shared, "who has the secret too": &again} {
		if id, ok := keys.verify(token, now); !ok || id != "SOCKET" {
			t.Errorf("%s: got %q %t, want the socket", name, id, ok)
		}
	}
	for name, keys := range map[string]*tokens{"another secret": &other, "no secret": &random} {
		if id, ok := keys.verify(token, now); ok {
			t.Errorf("%s accepts it for %q", name, id)
		}
	}
}

func TestTokenEnds(t *testing.T) {
	keys, now := newTokens(""), time.Now()
	token := keys.sign("SOCKET", now)
	if _, ok := keys.verify(token, now.Add(tokenAge-time.Second)); !ok {
		t.Error("refused a second before its end")
	}
	if _, ok := keys.verify(token, now.Add(tokenAge)); ok {
		t.Error("accepted at its end")
	}
	if _, ok := keys.verify(keys.sign("SOCKET", now.Add(-tokenAge-time.Hour)), now); ok {
		t.Error("accepted an hour after its end")
	}
}

// TestTokenRefusesWhatWasNotSigned: no bit of a token can be changed, nothing be
// left out or added.
func TestTokenRefusesWhatWasNotSigned(t *testing.T) {
	keys, now := newTokens(""), time.Now()
	token := keys.sign("SOCKET", now)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			if id, ok := keys.verify(base64.RawURLEncoding.EncodeToString(raw), now); ok {
				t.Errorf("accepted with bit %d of byte %d changed, for %q", bit, i, id)
			}
			raw[i] ^= 1 << bit
		}
	}
	for _, bad := range []string{
		"", "bogus", token[1:], token[:len(token)-2], token + "AAAA", "AAAA" + token, token + "=", token + "\n" + token,
		base64.RawURLEncoding.EncodeToString(make([]byte, 8+32)), strings.Repeat("A", maxToken+4), "not base64 at all!",
	} {
		if id, ok := keys.verify(bad, now); ok {
			t.Errorf("accepted %q, for %q", bad, id)
		}
	}
}

// FuzzTokenVerify: what was not signed is refused, whatever it is.
func FuzzTokenVerify(f *testing.F) {
	keys := newTokens("of the fuzzer")
	for _, seed := range []string{"", "AAAA", keys.sign("SOCKET", time.Unix(0, 0)), strings.Repeat("A", maxToken)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		// A token that this key has signed is long past its end.
		if id, ok := keys.verify(token, time.Unix(0, 0).Add(2*tokenAge)); ok {
			t.Errorf("accepted %q, for %q", token, id)
		}
	})
}
