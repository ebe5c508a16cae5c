package app

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSecret bounds a secret, in bytes.
const maxSecret = 64 << 10

const (
	fromEnv  = "env:"
	fromFile = "file:"
)

// Secrets say by key where each secret is: "env:NAME" or "file:PATH". Somebody
// may have written the secret itself in their place, so the values may be
// anything, lest the decoder show them, and no error here does.
type Secrets map[string]any

// errSecretRef is what is wrong with a value that is none of the two.
var errSecretRef = errors.New(`it has to be "env:NAME" or "file:PATH", which say where the secret is`)

// find returns the environment variable or the file that holds a secret.
func (s Secrets) find(key string) (name, path string, err error) {
	ref, _ := s[key].(string)
	name, _ = strings.CutPrefix(ref, fromEnv)
	path, _ = strings.CutPrefix(ref, fromFile)
	switch {
	case path != ref && path != "":
		return "", path, nil
	case name != ref && name != "":
		return name, "", nil
	}
	return "", "", errSecretRef
}

// below makes the paths of files relative to dir.
func (s Secrets) below(dir string) {
	for key := range s {
		if _, path, err := s.find(key); err == nil && path != "" && !filepath.IsAbs(path) {
			s[key] = fromFile + filepath.Join(dir, path)
		}
	}
}

// read returns a secret, without the line feed at its end.
func (s Secrets) read(key string) (string, error) {
	name, path, err := s.find(key)
	text := os.Getenv(name)
	if path != "" {
		var content []byte
		content, err = os.ReadFile(path)
		text = string(content)
	}
	if err != nil {
		return "", err
	}
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	switch {
	case text == "":
		return "", fmt.Errorf("%s is not set, or empty", s[key])
	case len(text) > maxSecret:
		return "", fmt.Errorf("%s has %d bytes, a secret has at most %d", s[key], len(text), maxSecret)
	case !utf8.ValidString(text):
		return "", fmt.Errorf("%s is not UTF-8", s[key])
	}
	return text, nil
}

// readSecrets reads the secrets of the plugin and returns those that it may ask
// for. One that cannot be read is an error even if nobody may ask for it, so
// that this does not come to light on the day when somebody may.
func (p *Plugin) readSecrets(granted Keys) (map[string]string, error) {
	secrets := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(p.Secrets)) {
		text, err := p.Secrets.read(key)
		if err != nil {
			return nil, fmt.Errorf("secrets.%s: %w", key, err)
		}
		if granted.has(key) {
			secrets[key] = text
		}
	}
	return secrets, nil
}

// checkSecrets refuses what is no secret's place, and a key that is taken.
func (p *Plugin) checkSecrets() error {
	for _, key := range slices.Sorted(maps.Keys(p.Secrets)) {
		if _, taken := p.Settings[key]; taken {
			return fmt.Errorf("secrets.%s: there is a setting of that name", key)
		}
		if key == "" || key == everyKey {
			return fmt.Errorf("secrets: %q cannot be the key of a secret", key)
		}
		if _, _, err := p.Secrets.find(key); err != nil {
			return fmt.Errorf("secrets.%s: %w", key, err)
		}
	}
	return nil
}
