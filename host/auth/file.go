package auth

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// lookGap is how long a JWKS file is taken to be as it was.
const lookGap = time.Second

// pemKey is the key of a PEM file. It serves every kid.
type pemKey struct{ set keySet }

func (p pemKey) key(_ context.Context, alg jose.SignatureAlgorithm, _ string) (any, error) {
	return p.set.find(alg, "")
}

func (pemKey) close() {}

// readPublicKey reads the PEM file of a Config. Its key has to serve all of
// wanted, which so can only be one.
func readPublicKey(path string, wanted []jose.SignatureAlgorithm) (keySource, error) {
	text, _, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("public_key_file: %w", err)
	}
	key, err := parsePEM(text)
	if err != nil {
		return nil, fmt.Errorf("public_key_file %s: %w", path, err)
	}
	alg, err := algorithmOf(key)
	if err != nil {
		return nil, fmt.Errorf("public_key_file %s: it has %w", path, err)
	}
	for _, w := range wanted {
		if w != alg {
			return nil, fmt.Errorf("public_key_file %s: its key is one for %s, which cannot serve algorithm %s", path, alg, w)
		}
	}
	return pemKey{keySet{{alg: alg, key: key}}}, nil
}

// parsePEM reads the one block of a PEM text.
func parsePEM(text []byte) (any, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it has no PEM block")
	}
	if next, _ := pem.Decode(rest); next != nil {
		return nil, errors.New("it has more than one PEM block; several keys go into a jwks_file")
	}
	switch {
	case block.Type == "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return c.PublicKey, nil
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("it has a private key, which belongs to the issuer alone; give the public one")
	default:
		return nil, fmt.Errorf("its PEM block is %q, it has to be a PUBLIC KEY or a CERTIFICATE", block.Type)
	}
}

// fileKeys are the keys of a JWKS file, which is looked at again when a key is
// asked for.
type fileKeys struct {
	path   string
	wanted []jose.SignatureAlgorithm
	log    *slog.Logger
	now    func() time.Time

	set atomic.Pointer[keySet] // of the last good file, never nil

	// mu is held by the one that looks at the file; whoever comes meanwhile goes
	// on with the keys there are.
	mu      sync.Mutex
	looked  time.Time
	seen    fs.FileInfo // of the file that was last read
	problem string      // that was last logged and still is one
}

func openFile(c *Config, ck clock) (keySource, error) {
	f := &fileKeys{path: c.JWKSFile, wanted: c.publicAlgorithms(), log: c.Logger, now: ck.now, looked: ck.now()}
	if err := f.read(); err != nil {
		return nil, fmt.Errorf("jwks_file: %w", err)
	}
	return f, nil
}

func (f *fileKeys) key(_ context.Context, alg jose.SignatureAlgorithm, kid string) (any, error) {
	f.look()
	return f.set.Load().find(alg, kid)
}

func (*fileKeys) close() {}

// look reads the file again if it is another one than before. It does so at
// most once a lookGap, and logs a problem once.
func (f *fileKeys) look() {
	if !f.mu.TryLock() {
		return
	}
	defer f.mu.Unlock()
	now := f.now()
	if now.Sub(f.looked) < lookGap {
		return
	}
	f.looked = now
	info, err := os.Stat(f.path)
	if err == nil && same(info, f.seen) {
		return
	}
	err = f.read()
	if err == nil {
		f.problem = ""
		f.log.Info("keys read again", "keys", len(*f.set.Load()), "path", f.path, "key", "jwks_file")
		return
	}
	if problem := err.Error(); problem != f.problem {
		f.problem = problem
		f.log.Warn("keys not read again, the ones before stay in use", "code", "KEYS_NOT_REFRESHED", "key", "jwks_file", "err", err)
	}
}

// same tells whether a file has not been changed or replaced.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// read reads the file. One without usable keys counts as seen too.
func (f *fileKeys) read() error {
	text, info, err := readFile(f.path)
	if err != nil {
		return err
	}
	f.seen = info
	set, err := parseKeySet(text, f.wanted)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.set.Store(&set)
	return nil
}

// readFile returns a file and what it was before it was read. Its errors name
// the path.
func readFile(path string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written that could be lost
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	text, err := readKeys(f)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, info, nil
}
