package auth

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aviary-host/aviary/wire"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // minds the case of names, and refuses an object that has one twice
	"github.com/go-jose/go-jose/v4/jwt"
)

// maxToken bounds a token, in bytes.
const maxToken = 8 << 10

// Claims are what a good token says.
type Claims struct {
	Subject string    // sub, empty if there is none
	Expiry  time.Time // exp, without the leeway; zero if there is none

	// JSON is the whole object, byte by byte as it was signed. It is Valid and
	// IsObject for package wire. It belongs to the caller.
	JSON []byte
}

// Verifier checks tokens. Make one with [New].
type Verifier struct {
	algorithms []jose.SignatureAlgorithm
	secret     []byte    // for HS256, else nil
	public     keySource // for the others, else nil

	expected jwt.Expected
	leeway   time.Duration
	noExpiry bool
	clock    clock
}

// clock is the time, and how it passes: a test has its own.
type clock struct {
	now   func() time.Time
	after func(time.Duration) <-chan time.Time
}

// New makes a Verifier. It returns an error that names the key and the value if
// the configuration cannot work, or if a file in it cannot be read or has no key
// that fits. It does not wait for Config.JWKSURL: the first Verify does.
func New(c Config) (*Verifier, error) {
	return newVerifier(c, clock{now: time.Now, after: time.After})
}

func newVerifier(c Config, ck clock) (*Verifier, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	v := &Verifier{
		secret:   bytes.Clone(c.Secret),
		expected: jwt.Expected{Issuer: c.Issuer},
		leeway:   c.Leeway,
		noExpiry: c.AllowNoExpiry,
		clock:    ck,
	}
	if c.Audience != "" {
		v.expected.AnyAudience = jwt.Audience{c.Audience}
	}
	for _, name := range c.Algorithms {
		v.algorithms = append(v.algorithms, jose.SignatureAlgorithm(name))
	}
	var err error
	switch {
	case c.PublicKeyFile != "":
		v.public, err = readPublicKey(c.PublicKeyFile, c.publicAlgorithms())
	case c.JWKSFile != "":
		v.public, err = openFile(&c, ck)
	case c.JWKSURL != "":
		v.public, err = startRemote(&c, ck)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errConfig, err)
	}
	return v, nil
}

// Close ends the goroutine that fetches keys, and waits for it. It may be called
// again, and never fails. Verify goes on with the keys there are.
func (v *Verifier) Close() error {
	if v.public != nil {
		v.public.close()
	}
	return nil
}

// Verify checks a token and returns its claims, or one of the errors of this
// package, wrapped. ctx bounds how long it waits for a key to be fetched; when
// it ends first, the error is also that of ctx.
func (v *Verifier) Verify(ctx context.Context, token string) (*Claims, error) {
	jws, err := v.parse(token)
	if err != nil {
		return nil, err
	}
	header := &jws.Signatures[0].Protected
	key, err := v.key(ctx, jose.SignatureAlgorithm(header.Algorithm), header.KeyID)
	if err != nil {
		return nil, err
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, ErrSignature
	}
	return v.check(payload)
}

// parse takes a token apart. The errors of go-jose stay here, since they repeat
// what is in the header.
func (v *Verifier) parse(token string) (*jose.JSONWebSignature, error) {
	if len(token) > maxToken {
		return nil, fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrMalformed, len(token), maxToken)
	}
	if !compact(token) {
		return nil, fmt.Errorf("%w: it is not three parts of base64url (RFC 7515 section 7.1)", ErrMalformed)
	}
	jws, err := jose.ParseSignedCompact(token, v.algorithms)
	var other *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &other):
		return nil, fmt.Errorf("%w: it has to be one of %v", ErrAlgorithm, v.algorithms)
	case err != nil:
		return nil, fmt.Errorf("%w: the header is not what RFC 7515 says", ErrMalformed)
	}
	// Extensions that change what a signature means. We know none, so a token
	// that has one is refused (RFC 7515 section 4.1.11, RFC 7797 section 7).
	extra := jws.Signatures[0].Protected.ExtraHeaders
	for _, name := range [...]jose.HeaderKey{"crit", "b64"} {
		if _, ok := extra[name]; ok {
			return nil, fmt.Errorf("%w: the header has %s, which is not supported", ErrMalformed, name)
		}
	}
	return jws, nil
}

// compact tells whether token is three parts of base64url with no spare bits,
// so that the same bytes have one spelling. (ES256 has two signatures that anybody
// can make of each other: who revokes tokens does it by jti, not by text.) The
// last part may be empty: it is that of algorithm none, which deserves its own
// error.
func compact(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return false
	}
	for _, part := range parts {
		// The decoder skips line breaks.
		if strings.ContainsAny(part, "\r\n") {
			return false
		}
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return false
		}
	}
	return true
}

// key returns the key for a header that parse has accepted. What an algorithm
// gets is decided here and by the type of the key, never by the token.
func (v *Verifier) key(ctx context.Context, alg jose.SignatureAlgorithm, kid string) (any, error) {
	if alg == jose.HS256 {
		return v.secret, nil
	}
	return v.public.key(ctx, alg, kid)
}

// check judges claims whose signature is good.
func (v *Verifier) check(payload []byte) (*Claims, error) {
	if !wire.Valid(payload) || !wire.IsObject(payload) {
		return nil, fmt.Errorf("%w: the claims are not a JSON object", ErrMalformed)
	}
	var c jwt.Claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, fmt.Errorf("%w: a claim has the wrong type or is there twice (RFC 7519 section 4)", ErrMalformed)
	}
	// iat tells an age, and refuses nothing (RFC 7519 section 4.1.6).
	c.IssuedAt = nil
	if c.Expiry == nil && !v.noExpiry {
		return nil, ErrNoExpiry
	}
	now := v.clock.now()
	if err := c.ValidateWithLeeway(v.expected.WithTime(now), v.leeway); err != nil {
		return nil, v.refusal(err, &c, now)
	}
	return &Claims{Subject: c.Subject, Expiry: c.Expiry.Time(), JSON: payload}, nil
}

// refusal puts the error of go-jose into our words.
func (v *Verifier) refusal(err error, c *jwt.Claims, now time.Time) error {
	switch {
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return fmt.Errorf("%w: it has to be %q", ErrIssuer, v.expected.Issuer)
	case errors.Is(err, jwt.ErrInvalidAudience):
		return fmt.Errorf("%w: it has to be for %q", ErrAudience, v.expected.AnyAudience[0])
	case errors.Is(err, jwt.ErrExpired):
		return fmt.Errorf("%w: %s ago, the leeway is %s", ErrExpired, now.Sub(c.Expiry.Time()).Round(time.Second), v.leeway)
	case errors.Is(err, jwt.ErrNotValidYet):
		return fmt.Errorf("%w: not for another %s, the leeway is %s", ErrNotYetValid, c.NotBefore.Time().Sub(now).Round(time.Second), v.leeway)
	default:
		return ErrMalformed
	}
}
