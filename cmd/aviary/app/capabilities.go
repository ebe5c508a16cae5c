package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/aviary-host/aviary/host"
)

const (
	moduleSuffix   = ".wasm"
	manifestSuffix = ".plugin.toml"

	// maxManifest bounds a manifest, in bytes.
	maxManifest = 64 << 10

	// everyKey in a list of keys stands for all.
	everyKey = "*"
)

// Capabilities are what a plugin may do: the table of its manifest, or that of
// the configuration. What is left out is denied.
type Capabilities struct {
	Serve      Topics `toml:"serve"`      // topics it may serve
	Broadcast  Topics `toml:"broadcast"`  // topics of its broadcasts
	Subscribe  Topics `toml:"subscribe"`  // topics whose broadcasts it may listen to
	Presence   Topics `toml:"presence"`   // topics whose presences it may change and read
	SendInfo   Topics `toml:"send_info"`  // topics of channels that it may send to
	Disconnect Topics `toml:"disconnect"` // id topics whose sockets it may close

	SendInfoOthers bool `toml:"send_info_others"` // send_info also to other sockets than the channel's
	Timers         bool `toml:"timers"`           // send_after
	Intercept      bool `toml:"intercept"`        // handle_out
	Log            bool `toml:"log"`              // lines in the log

	Config  Keys `toml:"config"`  // settings that it sees; "*": all
	Secrets Keys `toml:"secrets"` // secrets that it may ask for
}

// Keys are names of settings or secrets.
type Keys []string

// has tells whether key is named.
func (k Keys) has(key string) bool { return slices.Contains(k, key) || slices.Contains(k, everyKey) }

// defaultCapabilities is what a plugin without a manifest may do, which serves
// topics. A trusted one is the operator's own. It moves freely among the topics
// that it serves, but does not reach beyond them. One that is not may answer its
// clients.
func defaultCapabilities(topics Topics, trusted bool) *Capabilities {
	c := &Capabilities{Serve: topics, Log: true}
	if trusted {
		c.Broadcast, c.Subscribe, c.Presence, c.SendInfo = topics, topics, topics, topics
		c.SendInfoOthers, c.Timers, c.Intercept = true, true, true
		c.Config = Keys{everyKey}
	}
	return c
}

// String says in one line what is granted.
func (c *Capabilities) String() string {
	var parts []string
	add := func(granted bool, text string) {
		if granted {
			parts = append(parts, text)
		}
	}
	list := func(key string, values []string) {
		add(len(values) > 0, key+" "+strings.Join(values, " "))
	}
	list("serve", c.Serve)
	list("broadcast", c.Broadcast)
	list("subscribe", c.Subscribe)
	list("presence", c.Presence)
	list("send_info", c.SendInfo)
	add(c.SendInfoOthers, "send_info_others")
	list("disconnect", c.Disconnect)
	add(c.Timers, "timers")
	add(c.Intercept, "intercept")
	add(c.Log, "log")
	list("config", c.Config)
	list("secrets", c.Secrets)
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

// manifest is a file beside a module.
type manifest struct {
	Capabilities *Capabilities `toml:"capabilities"`
}

// ParseManifest reads the text of a manifest. The error names the line or the
// key.
func ParseManifest(text []byte) (*Capabilities, error) {
	if len(text) > maxManifest {
		return nil, fmt.Errorf("has %d bytes, a manifest has at most %d", len(text), maxManifest)
	}
	var m manifest
	if err := decodeStrict(text, &m); err != nil {
		return nil, err
	}
	if m.Capabilities == nil {
		return nil, errors.New("has no table [capabilities]")
	}
	return m.Capabilities, m.Capabilities.check()
}

// checkCapabilities refuses what can be told without reading other files.
func (p *Plugin) checkCapabilities() error {
	if p.Capabilities == nil {
		return p.checkSecrets()
	}
	if p.Manifest != "" {
		return errors.New("manifest and a table [plugin.capabilities] are both given: remove one")
	}
	return errors.Join(p.Capabilities.check(), p.checkSecrets())
}

// check refuses keys that no setting or secret has.
func (c *Capabilities) check() error {
	for name, keys := range map[string]Keys{"config": c.Config, "secrets": c.Secrets} {
		if slices.Contains(keys, "") {
			return fmt.Errorf("capabilities.%s: a key is empty", name)
		}
	}
	if slices.Contains(c.Secrets, everyKey) {
		return fmt.Errorf("capabilities.secrets: %q is no key: name each secret", everyKey)
	}
	_, err := c.compile("")
	return err
}

// compile makes what the host asks; source is where the capabilities come from.
func (c *Capabilities) compile(source string) (*host.Capabilities, error) {
	compiled, err := host.Grants{
		Source: source, Serve: c.Serve, Broadcast: c.Broadcast, Subscribe: c.Subscribe, Presence: c.Presence,
		SendInfo: c.SendInfo, Disconnect: c.Disconnect, SendInfoOthers: c.SendInfoOthers,
		Timers: c.Timers, Intercept: c.Intercept, Log: c.Log,
	}.Compile()
	if err != nil {
		return nil, fmt.Errorf("capabilities.%w", err)
	}
	return compiled, nil
}

// decodeStrict reads TOML in which every key is known.
func decodeStrict(text []byte, into any) error {
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(into)
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("unknown key:\n%s", unknown.String())
	case errors.As(err, &wrong):
		return refusal(wrong)
	}
	return err
}

// grant is what one plugin was found to be allowed.
type grant struct {
	*Capabilities
	host    *host.Capabilities
	source  string            // where they are written down
	secrets map[string]string // those that it may ask for
}

// trusted tells whether the plugin is the operator's own.
func (p *Plugin) trusted() bool { return p.Tenant == "" }

// grant finds out what the plugin may do.
func (p *Plugin) grant() (*grant, error) {
	g, err := p.findCapabilities()
	if err != nil {
		return nil, err
	}
	if g.host, err = g.compile(g.source); err != nil {
		return nil, fmt.Errorf("%s: %w", g.source, err)
	}
	for _, topics := range p.Topics {
		if err := g.host.CheckServe(topics); err != nil {
			return nil, err
		}
	}
	g.secrets, err = p.readSecrets(g.Secrets)
	return g, err
}

// settings returns what the plugin sees of its settings, as JSON.
func (g *grant) settings(all map[string]any) ([]byte, error) {
	seen := map[string]any{}
	for key, value := range all {
		if g.Config.has(key) {
			seen[key] = value
		}
	}
	return json.Marshal(seen)
}

// grant finds out what every plugin may do.
func (a *App) grant(cfg *Config) error {
	a.grants = map[string]*grant{}
	for i := range cfg.Plugins {
		p := &cfg.Plugins[i]
		g, err := p.grant()
		if err != nil {
			return fmt.Errorf("plugin %q: %w", p.Name, err)
		}
		a.grants[p.Name] = g
		for _, key := range g.Secrets {
			if _, given := p.Secrets[key]; !given {
				a.log.Warn(fmt.Sprintf("plugin %s may ask for the secret %q, but there is none (plugin.secrets)", p.Name, key), "code", "SECRET_MISSING")
			}
		}
		for _, key := range slices.Sorted(maps.Keys(p.Secrets)) {
			if !g.Secrets.has(key) {
				a.log.Warn(fmt.Sprintf("plugin %s has the secret %q, but may not ask for it (capability secrets in %s)", p.Name, key, g.source), "code", "SECRET_UNUSED")
			}
		}
	}
	return nil
}

// findCapabilities looks in the configuration, then in the manifest.
func (p *Plugin) findCapabilities() (*grant, error) {
	path, text, err := p.readManifest()
	switch {
	case err != nil:
		return nil, fmt.Errorf("manifest: %w", err)
	case text != nil && p.Capabilities != nil:
		return nil, fmt.Errorf("it has a manifest, %s, and a table [plugin.capabilities]: remove one", path)
	case text != nil:
		c, err := ParseManifest(text)
		if err != nil {
			return nil, fmt.Errorf("manifest %s: %w", path, err)
		}
		return &grant{Capabilities: c, source: filepath.Base(path)}, nil
	case p.Capabilities != nil:
		return &grant{Capabilities: p.Capabilities, source: "[plugin.capabilities] of plugin " + p.Name}, nil
	}
	source := "the defaults: plugin " + p.Name + " has no manifest"
	return &grant{Capabilities: defaultCapabilities(p.Topics, p.trusted()), source: source}, nil
}

// readManifest reads the file that the plugin names, or the one beside its
// module if there is one. Without any, text is nil.
func (p *Plugin) readManifest() (path string, text []byte, err error) {
	path = p.Manifest
	if path == "" {
		stem, isModule := strings.CutSuffix(p.Path, moduleSuffix)
		if !isModule {
			return "", nil, nil
		}
		path = stem + manifestSuffix
	}
	text, err = os.ReadFile(path)
	switch {
	case p.Manifest == "" && errors.Is(err, fs.ErrNotExist):
		return "", nil, nil
	case err != nil:
		return path, nil, err
	}
	return path, append([]byte{}, text...), nil // an empty file is a file
}
