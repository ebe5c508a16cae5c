package auth

import (
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestConfigRefused(t *testing.T) {
	hs := func(change func(*Config)) Config {
		c := base("HS256")
		c.Secret = secret
		change(&c)
		return c
	}
	url := func(u string) Config { c := base("RS256"); c.JWKSURL = u; return c }
	cases := []struct {
		name   string
		config Config
		want   string
	}{
		{"nothing", Config{}, "algorithms is empty, give at least one of HS256, RS256, ES256"},
		{"none", base("none"), `algorithms: "none" is not one of HS256, RS256, ES256`},
		{"one that is not spoken", base("HS256", "HS512"), `algorithms: "HS512" is not one of HS256, RS256, ES256`},
		{"no secret", base("HS256"), "algorithm HS256 needs a secret"},
		{"short secret", hs(func(c *Config) { c.Secret = secret[1:] }), "secret has 31 bytes, HS256 needs at least 32"},
		{"PEM as secret", hs(func(c *Config) { c.Secret = []byte(rsaKey().pem()) }), "secret is a PEM block or a public key, which others know; with HS256 whoever knows it can sign"},
		{"DER as secret", hs(func(c *Config) { c.Secret = must(x509.MarshalPKIXPublicKey(ecKey().public)) }), "secret is a PEM block or a public key, which others know; with HS256 whoever knows it can sign"},
		{"PKCS #1 as secret", hs(func(c *Config) { c.Secret = x509.MarshalPKCS1PublicKey(rsaKey().public.(*rsa.PublicKey)) }), "secret is a PEM block or a public key, which others know; with HS256 whoever knows it can sign"},
		{"secret without HS256", hs(func(c *Config) { c.Algorithms = []string{"RS256"} }), "secret is given, but HS256 is not among algorithms [RS256]"},
		{"public key without an algorithm", hs(func(c *Config) { c.JWKSFile = "keys.json" }), "jwks_file is given, but neither RS256 nor ES256 is among algorithms [HS256]"},
		{"no public key", base("ES256"), "algorithm ES256 needs one of public_key_file, jwks_file, jwks_url"},
		{"two sources", Config{Algorithms: []string{"RS256"}, JWKSFile: "a", JWKSURL: "b"}, "only one of jwks_file and jwks_url may be given"},
		{"negative leeway", hs(func(c *Config) { c.Leeway = -1 }), "leeway -1ns is not between 0 and 5m0s"},
		{"long leeway", hs(func(c *Config) { c.Leeway = 6 * time.Minute }), "leeway 6m0s is not between 0 and 5m0s"},
		{"hurried refresh", hs(func(c *Config) { c.RefreshInterval = time.Second }), "refresh_interval 1s is under 10s"},
		{"plain http", url("http://issuer.example/keys"), "jwks_url: http://issuer.example is neither https nor http on this machine"},
		{"http in a private network", url("http://10.0.0.1/keys"), "jwks_url: http://10.0.0.1 is neither https nor http on this machine"},
		{"name that begins like this machine", url("http://localhost.example/keys"), "jwks_url: http://localhost.example is neither https nor http on this machine"},
		{"address that begins like this machine", url("http://127.0.0.1.example/"), "jwks_url: http://127.0.0.1.example is neither https nor http on this machine"},
		{"user that looks like this machine", url("http://localhost@issuer.example/"), "jwks_url: http://issuer.example is neither https nor http on this machine"},
		{"another scheme", url("ftp://localhost/keys"), "jwks_url: ftp://localhost is neither https nor http on this machine"},
		{"file URL", url("file:///etc/keys"), "jwks_url: it names no host"},
		{"no URL", url("https://us er:pass@x/\x00"), "jwks_url is not a URL"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v, err := New(c.config)
			if err == nil {
				t.Fatal("accepted", v.Close())
			}
			if want := "auth configuration: " + c.want; err.Error() != want || !errors.Is(err, errConfig) {
				t.Errorf("error %q\nwant  %q", err, want)
			}
		})
	}
}

func TestLoopbackURLsAccepted(t *testing.T) {
	for _, u := range []string{"http://localhost:1/keys", "http://127.0.0.1:1/", "http://127.9.9.9:1/", "http://[::1]:1/", "https://localhost:1/"} {
		c := base("RS256")
		c.JWKSURL = u
		open(t, c)
	}
}

func pemBlock(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func certificate() []byte {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1)}
	return must(x509.CreateCertificate(rand.Reader, c, c, rsaKey().public, key))
}

func TestPublicKeyFile(t *testing.T) {
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaPublic := rsaKey().public.(*rsa.PublicKey)
	cases := []struct {
		name       string
		algorithms string
		text       string
		want       string // empty: accepted; PATH is that of the file
	}{
		{"PKIX", "RS256", rsaKey().pem(), ""},
		{"PKCS #1", "RS256", pemBlock("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(rsaPublic)), ""},
		{"certificate", "RS256", pemBlock("CERTIFICATE", certificate()), ""},
		{"text around it", "RS256", "issuer.example, 2026\n" + rsaKey().pem() + "\nend\n", ""},
		{"empty", "RS256", "", "PATH: it has no PEM block"},
		{"JWKS", "RS256", jwks(rsaKey().jwk("")), "PATH: it has no PEM block"},
		{"two keys", "RS256", rsaKey().pem() + rsaNext().pem(), "PATH: it has more than one PEM block; several keys go into a jwks_file"},
		{"private key", "RS256", pemBlock("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(edPrivate))), "PATH: it has a private key, which belongs to the issuer alone; give the public one"},
		{"something else", "RS256", pemBlock("DH PARAMETERS", []byte("x")), `PATH: its PEM block is "DH PARAMETERS", it has to be a PUBLIC KEY or a CERTIFICATE`},
		{"key of another algorithm", "ES256", rsaKey().pem(), "PATH: its key is one for RS256, which cannot serve algorithm ES256"},
		{"one key for two algorithms", "RS256 ES256", ecKey().pem(), "PATH: its key is one for ES256, which cannot serve algorithm RS256"},
		{"Ed25519", "ES256", pemBlock("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(edPublic))), "PATH: it has not a public key of RSA or EC"},
		{"P-384", "ES256", es256(elliptic.P384()).pem(), "PATH: it has an EC key on P-384, ES256 needs P-256"},
		{"short RSA", "RS256", rs256(1024).pem(), "PATH: it has an RSA key of 1024 bits, RS256 needs at least 2048"},
		{"too long", "RS256", strings.Repeat("\n", maxKeys+1), "PATH: longer than the limit of 1048576 bytes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			config := base(strings.Fields(c.algorithms)...)
			config.PublicKeyFile = file(t, c.text)
			v, err := New(config)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				// New has no other clock than the real one.
				now := claims(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
				if _, err := v.Verify(t.Context(), rsaKey().token(now)); err != nil {
					t.Error(err)
				}
				if err := v.Close(); err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			want := "auth configuration: public_key_file " + strings.ReplaceAll(c.want, "PATH", config.PublicKeyFile)
			if got := strings.Replace(err.Error(), "public_key_file: ", "public_key_file ", 1); got != want {
				t.Errorf("error %q\nwant  %q", got, want)
			}
		})
	}
	c := base("RS256")
	c.PublicKeyFile = "testdata/no-such-file"
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "public_key_file: open testdata/no-such-file") {
		t.Errorf("error %v for a file that is not there", err)
	}
}
