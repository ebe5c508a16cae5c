package app

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/aviary-host/aviary/host"
)

// The calls about plugins, POST /api/v1/plugins/NAME/ACTION, and the options in their query.
const (
	callDeploy   = "deploy"
	callRollback = "rollback"
	callPromote  = "promote"

	optionSHA       = "sha256"
	optionCanary    = "canary"
	optionKey       = "key"
	optionSignature = "signature"
)

// pluginCall answers the calls about plugins.
func (a *App) pluginCall(c *host.PluginCall) (any, error) {
	from := Origin{Source: c.From}
	var out Deployed
	var err error
	switch c.Action {
	case callDeploy:
		var d Deployment
		if d, err = a.deployment(c); err == nil {
			out, err = a.Deploy(context.Background(), d)
		} else {
			a.log.Error("deployment refused", "code", "DEPLOY_REFUSED", "plugin", c.Plugin, "source", c.From, "key", c.Options[optionKey], "err", err)
		}
	case callRollback:
		if err = c.CheckOptions(); err == nil {
			out, err = a.Rollback(context.Background(), c.Plugin, from)
		}
	case callPromote:
		if err = c.CheckOptions(); err == nil {
			out, err = a.Promote(context.Background(), c.Plugin, from)
		}
	default:
		err = &host.APIError{Status: http.StatusNotFound, Code: "NOT_FOUND", Message: "no such call: " + c.Action}
	}
	if err != nil {
		return nil, asAPIError(err)
	}
	return struct {
		Deployed
		Millis int64 `json:"ms"`
	}{out, out.Took.Milliseconds()}, nil
}

// asAPIError says how a call that failed is answered.
func asAPIError(err error) error {
	var api *host.APIError
	if errors.As(err, &api) {
		return err
	}
	for _, known := range []struct {
		err    error
		status int
		code   string
	}{
		{ErrNoPlugin, http.StatusNotFound, "NO_SUCH_PLUGIN"},
		{ErrNoOlder, http.StatusConflict, "NO_OLDER_MODULE"},
		{ErrNoTrial, http.StatusConflict, "NO_TRIAL"},
		{ErrClosing, http.StatusServiceUnavailable, "CLOSING"},
		{ErrNotKept, http.StatusInternalServerError, "NOT_KEPT"},
		{context.Canceled, http.StatusServiceUnavailable, "CLOSING"},
		{ErrPlugin, http.StatusUnprocessableEntity, "MODULE_REFUSED"},
		{ErrConfig, http.StatusUnprocessableEntity, "MODULE_REFUSED"},
	} {
		if errors.Is(err, known.err) {
			return &host.APIError{Status: known.status, Code: known.code, Message: err.Error()}
		}
	}
	return err
}

func badRequest(format string, args ...any) error {
	return &host.APIError{Status: http.StatusBadRequest, Code: "BAD_REQUEST", Message: fmt.Sprintf(format, args...)}
}

// deployment reads a call of deploy. The body is not the caller's any more when it returns:
// plugins keep nothing of it.
func (a *App) deployment(c *host.PluginCall) (Deployment, error) {
	d := Deployment{Plugin: c.Plugin, Wasm: c.Body, From: Origin{Source: c.From}}
	if err := c.CheckOptions(optionSHA, optionCanary, optionKey, optionSignature); err != nil {
		return d, err
	}
	sum := hashOf(c.Body)
	if want, given := c.Options[optionSHA]; given && !strings.EqualFold(want, sum) {
		return d, badRequest("the body is not what was sent: its SHA-256 is %s, not %s (option %s)", sum, want, optionSHA)
	}
	if text, given := c.Options[optionCanary]; given {
		share, err := ParseShare(text)
		if err != nil {
			return d, badRequest("%s: %v", optionCanary, err)
		}
		d.Canary = share
	}
	key, err := a.signedBy(c, sum)
	d.From.Key = key
	return d, err
}

// ParseShare reads a share such as "10%": more than 0%, less than 100%.
func ParseShare(text string) (float64, error) {
	digits, ok := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(n > 0 && n < 100) {
		return 0, fmt.Errorf("%q is not a share such as \"10%%\", above 0%% and below 100%%", text)
	}
	return n / 100, nil
}

// SignedText is what the signature of a deployment is of: it is good for one module, of the
// SHA-256 hash in hexadecimal digits, and one plugin.
func SignedText(plugin, hash string) []byte {
	return []byte("aviary deploy\n" + hash + "\n" + plugin + "\n")
}

// signedBy returns the name of the key that a deployment is signed with, "" where the
// configuration has none.
func (a *App) signedBy(c *host.PluginCall, hash string) (string, error) {
	name := c.Options[optionKey]
	switch {
	case len(a.deployKeys) == 0 && name == "" && c.Options[optionSignature] == "":
		return "", nil
	case len(a.deployKeys) == 0:
		return "", badRequest("it is signed, and there is no key to check that with (internal.deploy_keys)")
	}
	refused := func(why string) error {
		return &host.APIError{Status: http.StatusForbidden, Code: "NOT_SIGNED", Message: why + " (internal.deploy_keys)"}
	}
	key, known := a.deployKeys[name]
	if !known {
		return "", refused(fmt.Sprintf("it has to be signed with one of the keys there are, not with %q", name))
	}
	signature, err := base64.RawURLEncoding.DecodeString(c.Options[optionSignature])
	if err != nil || !ed25519.Verify(key, SignedText(c.Plugin, hash), signature) {
		return "", refused(fmt.Sprintf("it is not signed with the key %q", name))
	}
	return name, nil
}

// DeployKeys are the files of public keys, Ed25519 in PEM, of those who may deploy, by name.
type DeployKeys map[string]string

// below makes the paths relative to dir.
func (k DeployKeys) below(dir string) {
	for name, path := range k {
		if !filepath.IsAbs(path) {
			k[name] = filepath.Join(dir, path)
		}
	}
}

// read reads the keys.
func (k DeployKeys) read() (map[string]ed25519.PublicKey, error) {
	keys := map[string]ed25519.PublicKey{}
	for name, path := range k {
		text, err := os.ReadFile(path)
		if err == nil {
			keys[name], err = publicKey(text)
		}
		if err != nil {
			return nil, fmt.Errorf("internal.deploy_keys.%s: %s: %w", name, path, err)
		}
	}
	return keys, nil
}

func publicKey(text []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T, and has to be of Ed25519", parsed)
	}
	return key, nil
}
