package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/plugins"
)

const full = `
[http]
addr = "127.0.0.1:4801"
[internal]
addr = "127.0.0.1:4803"
token = "secret"
[[plugin]]
name = "chat"
path = "guest/chat.wasm"
topics = ["room:*", "document:*:*"]
instances = 3
memory = "32MiB"
fuel = 5000000
deadline = "20ms"
stack = "512KiB"
isolation = "reset"
breaker = "3/1m"
[plugin.settings]
greeting = "hi"
[[mount]]
path = "/socket"
connect = "chat"
max_channels = 7
idle_timeout = "300ms"
max_frame = "1000B"
queue_bytes = "2MB"
subprotocols = ["sip"]
`

// plugin is a declaration that is right.
const plugin = "[[plugin]]\nname = \"x\"\npath = \"x\"\ntopics = [\"t\"]\n"

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "aviary.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConnectAloneNeedsNoTopics(t *testing.T) {
	if _, err := Load(write(t, "[[plugin]]\nname=\"x\"\npath=\"x\"\n[[mount]]\nconnect=\"x\"\n")); err != nil {
		t.Error(err)
	}
}

func TestLoadReadsEveryKey(t *testing.T) {
	path := write(t, full)
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	p, m := cfg.Plugins[0], cfg.Mounts[0]
	switch {
	case cfg.HTTP.Addr != "127.0.0.1:4801", cfg.Internal.Addr != "127.0.0.1:4803", cfg.Internal.Token != "secret":
		t.Errorf("ports: %+v %+v", cfg.HTTP, cfg.Internal)
	case p.Name != "chat", p.Path != filepath.Join(filepath.Dir(path), "guest/chat.wasm"), len(p.Topics) != 2,
		p.Instances != 3, p.Memory != 32<<20, p.Fuel != 5_000_000, p.Deadline.Duration != 20*time.Millisecond,
		p.Stack != 512<<10, p.Isolation.Isolation != plugins.IsolateReset,
		p.Breaker.Breaker != (plugins.Breaker{Failures: 3, Window: time.Minute}), p.Settings["greeting"] != "hi":
		t.Errorf("plugin: %+v", p)
	case m.Path != "/socket", m.Connect != "chat", m.MaxChannels != 7, m.IdleTimeout.Duration != 300*time.Millisecond,
		m.MaxFrame != 1000, m.QueueBytes != 2_000_000, len(m.Subprotocols) != 1:
		t.Errorf("mount: %+v", m)
	}
}

// TestLoadRefuses: a configuration that is wrong says where and how.
func TestLoadRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown key", "[http]\nadr = \":1\"\n", "adr"},
		{"unknown table", "[htttp]\naddr = \":1\"\n", "htttp"},
		{"unknown key of a mount", "[[mount]]\npath = \"/s\"\nmax_chanels = 3\n", "max_chanels"},
		{"not TOML", "[http\n", "line 1"},
		{"wrong type", "[http]\naddr = 4000\n", "line 2"},
		{"duration without a unit", "[[mount]]\nidle_timeout = \"60\"\n", `line 2: idle_timeout: write a duration such as "60s"`},
		{"integer as a duration", "\n[[mount]]\nidle_timeout = 60\n", `line 3: idle_timeout: write a duration such as "60s"`},
		{"float as a duration", "[[mount]]\nidle_timeout = 1.5\n", `line 2: idle_timeout: write a duration such as "60s"`},
		{"boolean as a duration", "[[mount]]\nidle_timeout = true\n", "line 2"},
		{"table as a duration", "[[mount]]\n[mount.idle_timeout]\nDuration = 60\n", "Duration"},
		{"no idle timeout", "[[mount]]\nidle_timeout = \"0s\"\n", "line 2: idle_timeout: 0s would mean the default"},
		{"short idle timeout", plugin + "[[mount]]\nidle_timeout = \"9ms\"\n", "mount /socket: idle_timeout: 9ms is under 10ms"},
		{"negative idle timeout", plugin + "[[mount]]\npath = \"/s\"\nidle_timeout = \"-60s\"\n", "mount /s: idle_timeout: -1m0s is under 10ms"},
		{"port alone", "[http]\naddr = \"4000\"\n", `http.addr: "4000" is not host:port`},
		{"internal port alone", "[internal]\naddr = \"4001\"\n", `internal.addr: "4001" is not host:port`},
		{"no plugin", "[http]\naddr = \":4000\"\n", "no plugin is declared"},
		{"plugin without topics", "[[plugin]]\nname=\"x\"\npath=\"x\"\n", `plugin "x": topics is missing`},
		{"topics as a string", "[[plugin]]\nname = \"x\"\ntopics = \"poll:*\"\n", `line 3: topics must be a list: ["poll:*"]`},
		{"topics as a number", "[[plugin]]\nname = \"x\"\ntopics = 3\n", `line 3: topics must be a list: ["3"]`},
		{"size without a unit", "[[mount]]\nmax_frame = \"64\"\n", `"64" is not a size`},
		{"negative size", "[[mount]]\nmax_frame = \"-1KiB\"\n", `"-1KiB" is not a size`},
		{"size that overflows", "[[mount]]\nmax_frame = \"9223372036854775807GiB\"\n", "is not a size"},
		{"plugin without a name", "[[plugin]]\npath = \"x.wasm\"\n", "plugin 1: name is missing"},
		{"plugin without a path", "[[plugin]]\nname = \"x\"\n", `plugin "x": path is missing`},
		{"plugin twice", "[[plugin]]\nname=\"x\"\npath=\"x\"\ntopics=[\"t\"]\n[[plugin]]\nname=\"x\"\npath=\"y\"\n", `plugin "x" is declared twice`},
		{"plugin with negative instances", "[[plugin]]\nname=\"x\"\npath=\"x\"\ntopics=[\"t\"]\ninstances=-1\n", "instances = -1 is negative"},
		{"plugin with 5 GiB", "[[plugin]]\nname=\"x\"\npath=\"x\"\ntopics=[\"t\"]\nmemory=\"5GiB\"\n", "is over 4GiB"},
		{"unknown isolation", "[[plugin]]\nisolation = \"none\"\n", `line 2: isolation: "none" is none of [call reset instance]`},
		{"isolation as a boolean", "[[plugin]]\nisolation = true\n", `line 2: isolation: "true" is none of [call reset instance]`},
		{"zero drain interval", "[drain]\ninterval = \"0s\"\n", "line 2: interval: 0s would mean the default"},
		{"short drain interval", "[drain]\ninterval = \"2us\"\n", "drain.interval: 2µs is under 1ms"},
		{"presence tick without a unit", "[presence]\ntick = 50\n", "line 2: tick: write a duration such as \"50ms\", or 0; 50 has no unit"},
		{"short presence tick", "[presence]\ntick = \"50us\"\n", "line 2: tick: 50us is neither 0 nor between 1ms and 1m0s"},
		{"long presence tick", "[presence]\ntick = \"1h\"\n", "tick: 1h is neither 0 nor between"},
		{"negative presence tick", "[presence]\ntick = \"-1s\"\n", "tick: -1s is neither 0 nor between"},
		{"small presence page", "[presence]\npage = \"100B\"\n", "presence.page = 100 bytes is under 1KiB"},
		{"negative drain batch", "[drain]\nbatch = -1\n", "drain.batch = -1 is negative"},
		{"limit of a topic without a rate", plugin + "[[mount]]\n[[mount.limits.topics]]\npattern = \"a:*\"\n", `mount /socket: limits.topics: rate of pattern "a:*" is missing`},
		{"plugin with negative fuel", plugin + "fuel = -1\n", "fuel = -1 is negative"},
		{"plugin with too much fuel", plugin + "fuel = 281474976710657\n", "fuel = 281474976710657 is over 281474976710656"},
		{"plugin with a negative deadline", plugin + "deadline = \"-1s\"\n", "deadline: -1s is under 1ms"},
		{"plugin with a deadline without a unit", plugin + "deadline = 50\n", "deadline: "},
		{"plugin with too much stack", plugin + "stack = \"33MiB\"\n", "stack = 34603008 bytes is over 32MiB"},
		{"plugin with a breaker that is none", plugin + "breaker = \"5\"\n", `line 5: breaker: invalid breaker "5": write failures and a time, such as "5/10s", or "off"`},
		{"mount with an unknown plugin", plugin + "[[mount]]\nconnect=\"caht\"\n", `mount /socket: connect names plugin "caht", which is not declared`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.text)
			_, err := Load(path)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one of the file that says %q", err, tt.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrConfig) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
