package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// timeout is how long a test waits for another goroutine before it fails.
const timeout = 10 * time.Second

// start is when every fake clock begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Tokens of the tests are signed with the standard library, not with the
// library under test.
type signer struct {
	alg    string
	sign   func(input []byte) []byte
	public any // nil for HS256
}

var (
	secret  = []byte("0123456789abcdef0123456789abcdef")
	hmacKey = hs256(secret)
	rsaKey  = sync.OnceValue(func() signer { return rs256(2048) })
	rsaNext = sync.OnceValue(func() signer { return rs256(2048) })
	ecKey   = sync.OnceValue(func() signer { return es256(elliptic.P256()) })
	ecNext  = sync.OnceValue(func() signer { return es256(elliptic.P256()) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func hs256(key []byte) signer {
	return signer{alg: "HS256", sign: func(input []byte) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write(input)
		return mac.Sum(nil)
	}}
}

func rs256(bits int) signer {
	key := must(rsa.GenerateKey(rand.Reader, bits))
	return signer{alg: "RS256", public: &key.PublicKey, sign: func(input []byte) []byte {
		sum := sha256.Sum256(input)
		return must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]))
	}}
}

func es256(curve elliptic.Curve) signer {
	key := must(ecdsa.GenerateKey(curve, rand.Reader))
	return signer{alg: "ES256", public: &key.PublicKey, sign: func(input []byte) []byte {
		sum := sha256.Sum256(input)
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			panic(err)
		}
		var out [64]byte
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out[:]
	}}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// raw makes a token of a header and claims, whatever they are.
func (s signer) raw(header, claims string) string {
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	return input + "." + b64(s.sign([]byte(input)))
}

// token makes a token of claims.
func (s signer) token(claims string) string {
	return s.raw(fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, s.alg), claims)
}

// keyed makes a good token that names its key.
func (s signer) keyed(kid string) string {
	return s.raw(fmt.Sprintf(`{"alg":%q,"kid":%q}`, s.alg, kid), good)
}

// pem is the public key as a PEM text.
func (s signer) pem() string {
	der := must(x509.MarshalPKIXPublicKey(s.public))
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// jwk is the public key as a JSON Web Key with more members, such as
// `"kid":"a"`; "" for none.
func (s signer) jwk(more string) string {
	if more != "" {
		more = "," + more
	}
	switch k := s.public.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"%s}`, b64(k.N.Bytes()), more)
	case *ecdsa.PublicKey:
		point := must(k.Bytes())[1:]
		half := len(point) / 2
		return fmt.Sprintf(`{"kty":"EC","crv":%q,"x":%q,"y":%q%s}`, k.Params().Name, b64(point[:half]), b64(point[half:]), more)
	default:
		panic("no public key")
	}
}

func jwks(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// claims are good ones at start with the members of change over them; a nil
// member is left out.
func claims(change map[string]any) string {
	all := map[string]any{
		"iss": "https://issuer.example", "aud": "aviary", "sub": "ada", "exp": start.Add(time.Hour).Unix(),
	}
	for name, v := range change {
		all[name] = v
		if v == nil {
			delete(all, name)
		}
	}
	return string(must(json.Marshal(all)))
}

var good = claims(nil)

// base is a configuration with which good is good, but for keys.
func base(algorithms ...string) Config {
	return Config{Algorithms: algorithms, Issuer: "https://issuer.example", Audience: "aviary"}
}

// open makes a Verifier for the length of the test, on a clock of its own.
func open(t testing.TB, c Config) (*Verifier, *fakeClock) {
	t.Helper()
	ck := newClock()
	v, err := newVerifier(c, ck.clock())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v, ck
}

// file writes a file in a directory of the test.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	write(t, path, text)
	return path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fakeClock stands still until a test moves it.
type fakeClock struct {
	armed chan time.Duration // what after was called with

	mu     sync.Mutex
	now    time.Time
	timers []timer
}

type timer struct {
	at time.Time
	c  chan time.Time
}

func newClock() *fakeClock { return &fakeClock{now: start, armed: make(chan time.Duration, 1000)} }

func (f *fakeClock) clock() clock {
	return clock{
		now: func() time.Time {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.now
		},
		after: func(d time.Duration) <-chan time.Time {
			f.mu.Lock()
			defer f.mu.Unlock()
			c := make(chan time.Time, 1)
			f.timers = append(f.timers, timer{f.now.Add(d), c})
			f.armed <- d
			return c
		},
	}
}

// advance moves the clock and lets what is due fire.
func (f *fakeClock) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	var left []timer
	for _, tm := range f.timers {
		if tm.at.After(f.now) {
			left = append(left, tm)
		} else {
			tm.c <- f.now
		}
	}
	f.timers = left
}

// expectPause waits until a fetch is over and the pause after it has begun.
func (f *fakeClock) expectPause(t testing.TB, want time.Duration) {
	t.Helper()
	select {
	case d := <-f.armed:
		if d != want {
			t.Fatalf("the pause before the next fetch is %s, want %s", d, want)
		}
	case <-time.After(timeout):
		t.Fatal("no fetch has ended")
	}
}

// logLines is a logger's output that may be read while it is written.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// take returns what was logged since the last call.
func (l *logLines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.buf.Reset()
	return l.buf.String()
}

// expect fails the test unless one line was logged, and part is in it; "" wants
// none.
func (l *logLines) expect(t testing.TB, part string) {
	t.Helper()
	got := l.take()
	if lines := strings.Count(got, "\n"); part == "" && lines != 0 || part != "" && (lines != 1 || !strings.Contains(got, part)) {
		t.Fatalf("logged %q, want one line with %q", got, part)
	}
}

// newLogger returns a logger of warnings and infos, without times, and its
// output.
func newLogger() (*slog.Logger, *logLines) {
	out := &logLines{}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})), out
}
