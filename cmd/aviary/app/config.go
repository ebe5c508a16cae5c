package app

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/aviary-host/aviary/plugins"
)

// ErrConfig is wrapped by every refusal of a configuration.
var ErrConfig = errors.New("configuration")

const (
	defaultAddr  = ":4000"
	defaultMount = "/socket"

	// minSecret is the least length of http.secret, in bytes: that of the key which
	// is made of it.
	minSecret = 32

	// minIdleTimeout is far below what a client can keep up: what is under it
	// is a mistake, such as a number without its unit.
	minIdleTimeout = 10 * time.Millisecond

	// minOldAge is far below what a client takes to do anything: what is under it is a
	// number without its unit.
	minOldAge = 10 * time.Millisecond

	// minDeadline is below what a busy machine keeps.
	minDeadline = time.Millisecond
)

// Config is a configuration file. Zero values are the defaults named.
type Config struct {
	DataDir  string `toml:"data_dir"`  // where the server keeps what outlasts it; empty: nothing does
	CacheDir string `toml:"cache_dir"` // compiled modules; empty in a file: in the user's cache; "off", or empty in a Config: none

	CacheSize Size `toml:"cache_size"` // of all in CacheDir, the oldest go first; default 1GiB

	HTTP     HTTP     `toml:"http"`
	Internal Internal `toml:"internal"`
	Drain    Drain    `toml:"drain"`
	Presence Presence `toml:"presence"`
	Tenants  []Tenant `toml:"tenant"`
	Plugins  []Plugin `toml:"plugin"`
	Mounts   []Mount  `toml:"mount"`

	// Pages are files served beside the mounts. Not in the file: the demo has them.
	Pages fs.FS `toml:"-"`

	// LoadTimeout bounds reading and compiling one plugin; 0 means a minute. Not in
	// the file: under the race detector, which tests run with, it takes long.
	LoadTimeout time.Duration `toml:"-"`
}

// HTTP is the public port.
type HTTP struct {
	Addr   string `toml:"addr"`   // host:port; default :4000
	Secret string `toml:"secret"` // signs the tokens of long-polling clients; empty: a random one

	ConnectionsPerAddress int      `toml:"connections_per_address"` // at a time; default 1000, -1 for no limit
	ConnectionRate        Rate     `toml:"connection_rate"`         // of an address; default "50/s burst 500"
	LogOnly               []string `toml:"log_only"`                // which of the two are not enforced
	TrustedProxies        []string `toml:"trusted_proxies"`         // whose X-Forwarded-For counts; default: this machine's
}

// Internal is the port of health checks and the API.
type Internal struct {
	Addr  string `toml:"addr"`  // host:port; empty: no such port
	Token string `toml:"token"` // bearer key of the API; empty: this machine only

	DeployKeys DeployKeys `toml:"deploy_keys"` // with one of which a module that is sent has to be signed; none: it need not be
}

// Plugin is a module and the topics it serves.
type Plugin struct {
	Name      string         `toml:"name"`          // in logs and in mount.connect
	Path      string         `toml:"path"`          // of the .wasm file
	Tenant    string         `toml:"tenant"`        // whose topics it serves; empty: those of no declared tenant
	Topics    Topics         `toml:"topics"`        // patterns; over all plugins the first that fits serves a topic
	Instances int            `toml:"instances"`     // at most; default: one per core
	Memory    Size           `toml:"memory"`        // of an instance, at most; default 16MiB
	Fuel      int64          `toml:"fuel"`          // of a callback, in instructions; default 10 000 000
	Deadline  Duration       `toml:"deadline"`      // of a callback; default 50ms
	Stack     Size           `toml:"stack"`         // of a callback; default 1MiB
	Isolation Isolation      `toml:"isolation"`     // call (default), reset or instance
	Breaker   Breaker        `toml:"breaker"`       // when it fails; default "5/10s"
	Payloads  bool           `toml:"trap_payloads"` // records of failures have what users sent; default false
	OnUpdate  OnUpdate       `toml:"on_update"`     // channels, when the module is replaced: migrate (default), keep or rejoin
	MaxOldAge Duration       `toml:"max_old_age"`   // of a module that was replaced, as long as it has channels; default 5m
	Watch     bool           `toml:"watch"`         // replace the module when its file changes; default false
	Settings  map[string]any `toml:"settings"`      // what the module sees as its config

	// Manifest is the file that says what the plugin may do; by default the one
	// beside Path, room.plugin.toml for room.wasm, if there is one. Capabilities
	// stands in its place. Secrets are read at the start.
	Manifest     string        `toml:"manifest"`
	Capabilities *Capabilities `toml:"capabilities"`
	Secrets      Secrets       `toml:"secrets"`

	// Wasm is the module itself, in place of Path. Not in the file.
	Wasm []byte `toml:"-"`
}

// Mount is a path under which clients connect.
type Mount struct {
	Path         string   `toml:"path"`         // default /socket; clients open path + /websocket
	Hosts        []string `toml:"hosts"`        // names that a request's Host has to be one of; empty: any
	Tenant       string   `toml:"tenant"`       // whose clients connect here; empty: those of no declared tenant
	Connect      string   `toml:"connect"`      // plugin that answers connect; empty: everybody may
	MaxChannels  int      `toml:"max_channels"` // of a socket; default 100
	IdleTimeout  Duration `toml:"idle_timeout"` // default 60s
	MaxFrame     Size     `toml:"max_frame"`    // default 64KiB
	QueueBytes   Size     `toml:"queue_bytes"`  // default 1MiB
	Subprotocols []string `toml:"subprotocols"` // default: not looked at

	LongPoll    bool     `toml:"longpoll"`     // clients may also poll path + /longpoll; default false
	PollWindow  Duration `toml:"poll_window"`  // how long a poll waits; default 10s
	AuthToken   bool     `toml:"auth_token"`   // connect sees the token of phoenix.js; default false
	Headers     []string `toml:"headers"`      // of the request, that connect sees; default none
	OnMalformed string   `toml:"on_malformed"` // close (default) or reply
	Compress    bool     `toml:"compress"`     // permessage-deflate for clients that offer it; default false
	Origins     Origins  `toml:"origins"`      // web pages that may connect; default "same-host"
	Limits      Limits   `toml:"limits"`
	JWT         *JWT     `toml:"jwt"` // token that a client has to show; default none
}

// What on_malformed may be.
const (
	malformedClose = "close"
	malformedReply = "reply"
)

// at returns the path, or the default for it.
func (m *Mount) at() string {
	if m.Path == "" {
		return defaultMount
	}
	return m.Path
}

// Topics are patterns of topics.
type Topics []string

// UnmarshalText is called for what is not a list, and refuses it.
func (*Topics) UnmarshalText(text []byte) error {
	return unstable.NewParserError(text, "topics must be a list: [%q]", text)
}

// Isolation is a plugins.Isolation written as its name.
type Isolation struct{ plugins.Isolation }

// UnmarshalText reads the name.
func (i *Isolation) UnmarshalText(text []byte) error {
	for _, known := range plugins.Isolations() {
		if string(text) == known.String() {
			i.Isolation = known
			return nil
		}
	}
	return unstable.NewParserError(text, "isolation: %q is none of %v", text, plugins.Isolations())
}

// Duration is a time.Duration written as "60s". It is a struct because the TOML
// decoder would take an integer for nanoseconds.
type Duration struct {
	time.Duration `toml:"-"`
}

// UnmarshalText reads the form of time.ParseDuration. Numbers come here too; the
// parser's own kind of error is what gives those a line.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	switch {
	case err != nil:
		return unstable.NewParserError(text, "write a duration such as \"60s\"; %s has no unit that is known", text)
	case v == 0: // which would mean the default
		return unstable.NewParserError(text, "%s would mean the default: leave the key out, or write a longer time", text)
	}
	d.Duration = v
	return nil
}

// Size is a number of bytes written as "64KiB", "1MB" or "1000B".
type Size int64

var units = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"kB", 1e3},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"B", 1},
}

// UnmarshalText reads a whole number with a unit.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range units {
		digits, ok := strings.CutSuffix(string(text), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > (1<<40)/u.bytes {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size such as \"64KiB\", \"1MB\" or \"1000B\"", text)
}

// Load reads and checks the file at path. Errors wrap ErrConfig and name the
// line or the key.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	cfg, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrConfig, path, err)
	}
	if cfg.DataDir != "" && !filepath.IsAbs(cfg.DataDir) {
		cfg.DataDir = filepath.Join(filepath.Dir(path), cfg.DataDir)
	}
	switch {
	case cfg.CacheDir == "":
		cfg.CacheDir = UserCache
	case cfg.CacheDir != cacheOff && !filepath.IsAbs(cfg.CacheDir):
		cfg.CacheDir = filepath.Join(filepath.Dir(path), cfg.CacheDir)
	}
	cfg.Internal.DeployKeys.below(filepath.Dir(path))
	for i := range cfg.Plugins {
		cfg.Plugins[i].below(filepath.Dir(path))
	}
	for i := range cfg.Mounts {
		if j := cfg.Mounts[i].JWT; j != nil {
			j.below(filepath.Dir(path))
		}
	}
	return cfg, nil
}

// below makes the paths of files relative to dir.
func (p *Plugin) below(dir string) {
	for _, path := range []*string{&p.Path, &p.Manifest} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	p.Secrets.below(dir)
}

func parse(text []byte) (*Config, error) {
	var cfg Config
	if err := decodeStrict(text, &cfg); err != nil {
		return nil, err
	}
	return &cfg, cfg.check()
}

// refusal says which line and key a decoder's error is about.
func refusal(e *toml.DecodeError) error {
	row, _ := e.Position()
	problem := strings.TrimPrefix(e.Error(), "toml: ")
	if path := e.Key(); len(path) > 0 {
		if key := path[len(path)-1]; !strings.HasPrefix(problem, key) {
			problem = key + ": " + problem
		}
	}
	return fmt.Errorf("line %d: %s\n%s", row, problem, e.String())
}

// check refuses what no part could later name as well as this place can.
func (c *Config) check() error {
	_, err := proxies(c.HTTP.TrustedProxies)
	if n := len(c.HTTP.Secret); n > 0 && n < minSecret {
		err = errors.Join(err, fmt.Errorf("http.secret has %d bytes, it needs at least %d", n, minSecret))
	}
	if err := errors.Join(err, c.checkCache(), c.Drain.check(), c.Presence.check(), checkAddr("http.addr", c.HTTP.Addr), checkAddr("internal.addr", c.Internal.Addr)); err != nil {
		return err
	}
	if len(c.Plugins) == 0 {
		return errors.New("no plugin is declared: write a [[plugin]] table")
	}
	connects := map[string]bool{}
	for i := range c.Mounts {
		connects[c.Mounts[i].Connect] = true
	}
	names := map[string]bool{}
	for i := range c.Plugins {
		p := &c.Plugins[i]
		switch {
		case p.Name == "":
			return fmt.Errorf("plugin %d: name is missing", i+1)
		case names[p.Name]:
			return fmt.Errorf("plugin %q is declared twice", p.Name)
		}
		if err := p.check(connects[p.Name]); err != nil {
			return fmt.Errorf("plugin %q: %w", p.Name, err)
		}
		names[p.Name] = true
	}
	for i := range c.Mounts {
		if err := c.Mounts[i].check(names); err != nil {
			return fmt.Errorf("mount %s: %w", c.Mounts[i].at(), err)
		}
	}
	return c.checkTenants()
}

func checkAddr(key, addr string) error {
	if addr == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("%s: %q is not host:port, such as \"127.0.0.1:4000\" or \":4000\"", key, addr)
	}
	return nil
}

// check refuses a plugin that could not work. One that a mount names may do
// without topics.
func (p *Plugin) check(connects bool) error {
	switch {
	case p.Path == "" && p.Wasm == nil:
		return errors.New("path is missing")
	case len(p.Topics) == 0 && !connects:
		return errors.New("topics is missing")
	case p.Instances < 0:
		return fmt.Errorf("instances = %d is negative", p.Instances)
	case p.Memory < 0 || p.Memory > 4<<30:
		return fmt.Errorf("memory = %d bytes is over 4GiB", p.Memory)
	case p.Fuel < 0:
		return fmt.Errorf("fuel = %d is negative", p.Fuel)
	case p.Fuel > plugins.MaxFuel:
		return fmt.Errorf("fuel = %d is over %d", p.Fuel, int64(plugins.MaxFuel))
	case p.Deadline.Duration != 0 && p.Deadline.Duration < minDeadline:
		return fmt.Errorf("deadline: %s is under %s", p.Deadline, minDeadline)
	case p.Stack > plugins.MaxStack:
		return fmt.Errorf("stack = %d bytes is over 32MiB", p.Stack)
	}
	return errors.Join(p.checkUpdate(), p.checkCapabilities())
}

// checkUpdate refuses what does not fit the replacement of a module.
func (p *Plugin) checkUpdate() error {
	switch {
	case p.MaxOldAge.Duration != 0 && p.MaxOldAge.Duration < minOldAge:
		return fmt.Errorf("max_old_age: %s is under %s", p.MaxOldAge, minOldAge)
	case p.Watch && p.Path == "":
		return errors.New("watch: there is no path to be watched")
	}
	return nil
}

func (m *Mount) check(plugins map[string]bool) error {
	switch {
	case m.Connect != "" && !plugins[m.Connect]:
		return fmt.Errorf("connect names plugin %q, which is not declared", m.Connect)
	case m.IdleTimeout.Duration != 0 && m.IdleTimeout.Duration < minIdleTimeout:
		return fmt.Errorf("idle_timeout: %s is under %s", m.IdleTimeout, minIdleTimeout)
	case m.PollWindow.Duration != 0 && m.PollWindow.Duration < minIdleTimeout:
		return fmt.Errorf("poll_window: %s is under %s", m.PollWindow, minIdleTimeout)
	case m.OnMalformed != "" && m.OnMalformed != malformedClose && m.OnMalformed != malformedReply:
		return fmt.Errorf("on_malformed: %q is neither %q nor %q", m.OnMalformed, malformedClose, malformedReply)
	}
	return m.Limits.check()
}
