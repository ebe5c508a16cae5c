package auth

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// replace puts a new file in place of one, as whoever rotates keys should.
func replace(t testing.TB, path, text string) {
	t.Helper()
	write(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestKeyFileIsReadAgain(t *testing.T) {
	c := base("RS256", "ES256")
	log, lines := newLogger()
	c.Logger = log
	c.JWKSFile = file(t, jwks(rsaKey().jwk(`"kid":"a"`)))
	v, ck := open(t, c)
	expect := func(token string, want error) {
		t.Helper()
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, want) {
			t.Fatalf("error %v, want %v", err, want)
		}
	}
	old, next := rsaKey().keyed("a"), ecNext().keyed("b")
	expect(old, nil)
	expect(next, ErrUnknownKey)

	replace(t, c.JWKSFile, jwks(ecNext().jwk(`"kid":"b"`)))
	ck.advance(lookGap - 1)
	expect(old, nil) // not looked at yet
	expect(next, ErrUnknownKey)
	lines.expect(t, "")
	ck.advance(1)
	expect(next, nil)
	expect(old, ErrUnknownKey)
	lines.expect(t, `level=INFO msg="keys read again" keys=1`)

	ck.advance(lookGap)
	expect(next, nil)
	lines.expect(t, "") // the same file is not read again
}

func TestBrokenKeyFileKeepsKeys(t *testing.T) {
	c := base("RS256")
	log, lines := newLogger()
	c.Logger = log
	c.JWKSFile = file(t, jwks(rsaKey().jwk("")))
	v, ck := open(t, c)
	token, next := rsaKey().token(good), rsaNext().token(good)
	breaks := []struct {
		name string
		do   func()
		want string
	}{
		{"half a file", func() { write(t, c.JWKSFile, `{"keys":[`) }, "unexpected end of JSON input"},
		{"no key in it", func() { replace(t, c.JWKSFile, `{"keys":[]}`) }, "none of 0 keys is for [RS256]"},
		{"too long", func() { replace(t, c.JWKSFile, strings.Repeat(" ", maxKeys+1)) }, "longer than the limit of 1048576 bytes"},
		{"gone", func() {
			if err := os.Remove(c.JWKSFile); err != nil {
				t.Fatal(err)
			}
		}, "no such file"},
	}
	for _, b := range breaks {
		b.do()
		for i := range 3 {
			ck.advance(lookGap)
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Fatalf("%s: %v", b.name, err)
			}
			if want := b.want; i == 0 {
				lines.expect(t, want)
			} else {
				lines.expect(t, "") // said once is enough
			}
		}
	}
	replace(t, c.JWKSFile, jwks(rsaNext().jwk("")))
	ck.advance(lookGap)
	verify(t, v, next, nil)
	lines.expect(t, "keys read again")
	last := breaks[len(breaks)-1]
	last.do()
	ck.advance(lookGap)
	verify(t, v, next, nil)
	lines.expect(t, last.want) // a problem that comes back is said again
}

// A text of the same length, written over the old one: only its time tells.
func TestKeyFileOfTheSameSize(t *testing.T) {
	c := base("ES256")
	c.JWKSFile = file(t, jwks(ecKey().jwk("")))
	v, ck := open(t, c)
	write(t, c.JWKSFile, jwks(ecNext().jwk("")))
	if err := os.Chtimes(c.JWKSFile, start, start.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	ck.advance(lookGap)
	if _, err := v.Verify(t.Context(), ecNext().token(good)); err != nil {
		t.Fatal(err)
	}
}

func TestKeyFileRefusedAtTheStart(t *testing.T) {
	for text, want := range map[string]string{
		"{}":           "none of 0 keys is for [RS256]",
		rsaKey().pem(): "not a JSON Web Key Set",
	} {
		c := base("RS256")
		c.JWKSFile = file(t, text)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "auth configuration: jwks_file: "+c.JWKSFile+": "+want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	c := base("RS256")
	c.JWKSFile = t.TempDir() + "/none"
	if _, err := New(c); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that the file does not exist", err)
	}
}
