package auth

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Config says which tokens a Verifier accepts. The zero value of each field is
// the default that its comment names; Algorithms has none.
type Config struct {
	// Algorithms are those that a token may be signed with: HS256, RS256 and
	// ES256, at least one. HS256 needs Secret; the others need one of
	// PublicKeyFile, JWKSFile and JWKSURL.
	Algorithms []string

	// Secret is the key of HS256, at least 32 bytes (RFC 7518 section 3.2). It
	// is used as it is, not decoded from anything.
	Secret []byte
	// PublicKeyFile is a PEM file with one public key, or a certificate with
	// one. It is read once, by New.
	PublicKeyFile string
	// JWKSFile is a file with a JSON Web Key Set (RFC 7517 section 5). It is
	// read by New, and again when it has changed.
	JWKSFile string
	// JWKSURL is where a JSON Web Key Set is fetched from: https, or http on
	// this machine.
	JWKSURL string
	// RefreshInterval is how often JWKSURL is fetched; 0 means 10 min, the least
	// is 10 s.
	RefreshInterval time.Duration

	// Issuer is what the iss claim has to be; empty accepts any and none.
	Issuer string
	// Audience is what the aud claim has to be or to contain; empty accepts any
	// and none.
	Audience string
	// Leeway is how far the clocks of issuer and host may differ: exp and nbf
	// are off by it in the client's favour. 0 means 30 s, the most is 5 min. A
	// nanosecond is as good as none.
	Leeway time.Duration
	// AllowNoExpiry accepts tokens without exp, which are good for ever.
	AllowNoExpiry bool

	// Logger is told when keys cannot be refreshed. Nil discards it.
	Logger *slog.Logger
	// HTTPClient fetches JWKSURL. Nil means one with a timeout of 5 s, and one
	// without a timeout gets that. A copy is used, which follows no redirect to
	// where JWKSURL may not point.
	HTTPClient *http.Client
}

const (
	defaultRefreshInterval = 10 * time.Minute
	defaultLeeway          = 30 * time.Second
	maxLeeway              = 5 * time.Minute

	// minSecret is the length of the hash, in bytes (RFC 7518 section 3.2).
	minSecret = 32
)

// withDefaults returns a copy of c in which every zero is filled in.
func (c Config) withDefaults() Config {
	c.RefreshInterval = cmp.Or(c.RefreshInterval, defaultRefreshInterval)
	c.Leeway = cmp.Or(c.Leeway, defaultLeeway)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// check refuses a configuration that could not work, naming the value.
func (c *Config) check() error {
	for _, name := range c.Algorithms {
		switch jose.SignatureAlgorithm(name) {
		case jose.HS256, jose.RS256, jose.ES256:
		default:
			return fmt.Errorf("%w: algorithms: %q is not one of HS256, RS256, ES256", errConfig, name)
		}
	}
	switch {
	case len(c.Algorithms) == 0:
		return fmt.Errorf("%w: algorithms is empty, give at least one of HS256, RS256, ES256", errConfig)
	case c.RefreshInterval < minFetchGap:
		return fmt.Errorf("%w: refresh_interval %s is under %s", errConfig, c.RefreshInterval, minFetchGap)
	case c.Leeway < 0 || c.Leeway > maxLeeway:
		return fmt.Errorf("%w: leeway %s is not between 0 and %s", errConfig, c.Leeway, maxLeeway)
	}
	if err := c.checkSecret(); err != nil {
		return err
	}
	return c.checkSource()
}

// checkSecret never repeats the secret, not even a part of it.
func (c *Config) checkSecret() error {
	wanted := slices.Contains(c.Algorithms, string(jose.HS256))
	switch n := len(c.Secret); {
	case wanted && n == 0:
		return fmt.Errorf("%w: algorithm HS256 needs a secret", errConfig)
	case !wanted && n > 0:
		return fmt.Errorf("%w: secret is given, but HS256 is not among algorithms %v", errConfig, c.Algorithms)
	case wanted && n < minSecret:
		return fmt.Errorf("%w: secret has %d bytes, HS256 needs at least %d", errConfig, n, minSecret)
	case wanted && isPublic(c.Secret):
		return fmt.Errorf("%w: secret is a PEM block or a public key, which others know; with HS256 whoever knows it can sign", errConfig)
	}
	return nil
}

// isPublic knows keys that were meant for RS256 or ES256.
func isPublic(secret []byte) bool {
	if block, _ := pem.Decode(secret); block != nil {
		return true
	}
	_, errPKIX := x509.ParsePKIXPublicKey(secret)
	_, errPKCS1 := x509.ParsePKCS1PublicKey(secret)
	return errPKIX == nil || errPKCS1 == nil
}

// checkSource looks at where public keys come from.
func (c *Config) checkSource() error {
	var given []string
	for _, source := range [...]struct{ key, value string }{
		{"public_key_file", c.PublicKeyFile}, {"jwks_file", c.JWKSFile}, {"jwks_url", c.JWKSURL},
	} {
		if source.value != "" {
			given = append(given, source.key)
		}
	}
	wanted := c.publicAlgorithms()
	switch {
	case len(wanted) > 0 && len(given) == 0:
		return fmt.Errorf("%w: algorithm %s needs one of public_key_file, jwks_file, jwks_url", errConfig, wanted[0])
	case len(wanted) == 0 && len(given) > 0:
		return fmt.Errorf("%w: %s is given, but neither RS256 nor ES256 is among algorithms %v", errConfig, given[0], c.Algorithms)
	case len(given) > 1:
		return fmt.Errorf("%w: only one of %s may be given", errConfig, strings.Join(given, " and "))
	case c.JWKSURL == "":
		return nil
	}
	u, err := url.Parse(c.JWKSURL)
	if err != nil { // its message repeats the URL, with a password if there is one
		return fmt.Errorf("%w: jwks_url is not a URL", errConfig)
	}
	if err := checkURL(u); err != nil {
		return fmt.Errorf("%w: jwks_url: %w", errConfig, err)
	}
	return nil
}

// publicAlgorithms are the accepted algorithms that need public keys.
func (c *Config) publicAlgorithms() []jose.SignatureAlgorithm {
	var all []jose.SignatureAlgorithm
	for _, alg := range [...]jose.SignatureAlgorithm{jose.RS256, jose.ES256} {
		if slices.Contains(c.Algorithms, string(alg)) {
			all = append(all, alg)
		}
	}
	return all
}
