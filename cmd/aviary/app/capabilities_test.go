package app

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host/hosttest"
)

func TestDefaultCapabilities(t *testing.T) {
	topics := Topics{"room:*", "lobby"}
	for trusted, want := range map[bool]string{
		true: "serve room:* lobby; broadcast room:* lobby; subscribe room:* lobby; presence room:* lobby; " +
			"send_info room:* lobby; send_info_others; timers; intercept; log; config *",
		false: "serve room:* lobby; log",
	} {
		if got := defaultCapabilities(topics, trusted).String(); got != want {
			t.Errorf("trusted %v: %s, want %s", trusted, got, want)
		}
	}
	if got := new(Capabilities).String(); got != "nothing" {
		t.Errorf("nothing is %q", got)
	}
}

func TestReadmeShowsTheDefaultCapabilities(t *testing.T) {
	p := readmeConfig(t).Plugins[0]
	if got, want := p.Capabilities.String(), defaultCapabilities(p.Topics, true).String(); got != want {
		t.Errorf("README shows %s, the defaults are %s", got, want)
	}
}

// folder is a directory with files, and room.wasm, which echoes.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["room.wasm"] = string(module(t))
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	roomPlugin   = "[http]\naddr = \"127.0.0.1:0\"\n[[plugin]]\nname = \"room\"\npath = \"room.wasm\"\ntopics = [\"room:*\"]\n"
	roomManifest = "[capabilities]\nserve = [\"room:*\"]\n"
)

// TestCapabilitiesAreFound: in the table, in the file that is named, in the one
// beside the module; the log says what and where.
func TestCapabilitiesAreFound(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"none", map[string]string{"aviary.toml": roomPlugin}, `may="serve room:*; broadcast room:*; subscribe room:*; presence room:*; send_info room:*; ` +
			`send_info_others; timers; intercept; log; config *" from="the defaults: plugin room has no manifest"`},
		{
			"beside the module",
			map[string]string{"aviary.toml": roomPlugin, "room.plugin.toml": roomManifest + "timers = true\nsecrets = [\"k\"]\n"},
			`may="serve room:*; timers; secrets k" from=room.plugin.toml`,
		},
		{
			"named",
			map[string]string{"aviary.toml": roomPlugin + "manifest = \"strict.toml\"\n", "strict.toml": roomManifest, "room.plugin.toml": "nonsense"},
			`may="serve room:*" from=strict.toml`,
		},
		{
			"in the configuration",
			map[string]string{"aviary.toml": roomPlugin + "[plugin.capabilities]\nserve = [\"*\"]\ndisconnect = [\"users:*\"]\n"},
			`may="serve *; disconnect users:*" from="[plugin.capabilities] of plugin room"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Load(filepath.Join(folder(t, tt.files), "aviary.toml"))
			if err != nil {
				t.Fatal(err)
			}
			_, l := startLogged(t, cfg)
			if line := `msg="plugin capabilities" plugin=room ` + tt.want; strings.Count(l.String(), line) != 1 {
				t.Errorf("the log does not say once %s:\n%s", line, l)
			}
		})
	}
}

// startLogged starts an app for the length of the test.
func startLogged(t *testing.T, cfg *Config) (*App, *log) {
	t.Helper()
	l := &log{}
	a, err := Start(t.Context(), cfg, slog.New(slog.NewTextHandler(l, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := a.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return a, l
}

// TestCapabilitiesAreRefused: whatever is wrong with a manifest or a secret is
// said before anything listens, and no secret is.
func TestCapabilitiesAreRefused(t *testing.T) {
	t.Setenv("AVIARY_TEST_EMPTY", "\n")
	t.Setenv("AVIARY_TEST_LONG", strings.Repeat("s3cret", maxSecret/6+1))
	table := func(text string) map[string]string {
		return map[string]string{"aviary.toml": roomPlugin + "[plugin.capabilities]\n" + text}
	}
	beside := func(text string) map[string]string {
		return map[string]string{"aviary.toml": roomPlugin, "room.plugin.toml": text}
	}
	secret := func(text string) map[string]string {
		return map[string]string{"aviary.toml": roomPlugin + "[plugin.settings]\ntaken = 1\n[plugin.secrets]\n" + text + "\n", "bytes": "s3cret\xff"}
	}
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"topics outside serve", beside("[capabilities]\nserve = [\"lobby\", \"room:a*\"]\n"), `plugin "room": topics "room:*" are not within serve = ["lobby" "room:a*"] (capability serve in room.plugin.toml)`},
		{"topics outside serve of the table", table(""), `topics "room:*" are not within serve = [] (capability serve in [plugin.capabilities] of plugin room)`},
		{"unknown key", beside(roomManifest + "brodcast = []\n"), "brodcast"},
		{"unknown key's line", beside(roomManifest + "\nbrodcast = []\n"), "4| brodcast"},
		{"unknown key of the table", table("brodcast = []\n"), "brodcast"},
		{"unknown table", beside(roomManifest + "[limits]\n"), "limits"},
		{"no table", beside(""), "has no table [capabilities]"},
		{"not TOML", beside("[capabilities\n"), "line 1"},
		{"topics as a string", beside("[capabilities]\nserve = \"room:*\"\n"), `line 2: serve: topics must be a list: ["room:*"]`},
		{"flag as a string", beside(roomManifest + "timers = \"yes\"\n"), "line 3: timers"},
		{"bad pattern", beside(roomManifest + "send_info = [\"a*b\"]\n"), `capabilities.send_info: invalid topic pattern "a*b"`},
		{"empty key", beside(roomManifest + "config = [\"\"]\n"), "capabilities.config: a key is empty"},
		{"all secrets", beside(roomManifest + "secrets = [\"*\"]\n"), `capabilities.secrets: "*" is no key: name each secret`},
		{"large", beside(roomManifest + strings.Repeat("#", maxManifest)), "a manifest has at most 65536"},
		{"missing", map[string]string{"aviary.toml": roomPlugin + "manifest = \"none.toml\"\n"}, "none.toml: no such file"},
		{"both", map[string]string{"aviary.toml": roomPlugin + "manifest = \"m.toml\"\n[plugin.capabilities]\n"}, "manifest and a table [plugin.capabilities] are both given"},
		{"both, one beside", map[string]string{"aviary.toml": roomPlugin + "[plugin.capabilities]\n", "room.plugin.toml": roomManifest}, "room.plugin.toml, and a table [plugin.capabilities]: remove one"},
		{"a secret itself", secret(`k = "s3cret"`), `secrets.k: it has to be "env:NAME" or "file:PATH"`},
		{"a secret that is a table", secret(`k = {value = "s3cret"}`), `secrets.k: it has to be "env:NAME" or "file:PATH"`},
		{"a secret of no variable", secret(`k = "env:"`), `secrets.k: it has to be "env:NAME" or "file:PATH"`},
		{"a secret without a key", secret(`"" = "env:HOME"`), `secrets: "" cannot be the key of a secret`},
		{"a secret that is a setting", secret(`taken = "env:HOME"`), "secrets.taken: there is a setting of that name"},
		{"a variable that is not set", secret(`k = "env:AVIARY_TEST_NONE"`), "secrets.k: env:AVIARY_TEST_NONE is not set, or empty"},
		{"a variable that is empty", secret(`k = "env:AVIARY_TEST_EMPTY"`), "secrets.k: env:AVIARY_TEST_EMPTY is not set, or empty"},
		{"a secret that is too long", secret(`k = "env:AVIARY_TEST_LONG"`), "secrets.k: env:AVIARY_TEST_LONG has 65538 bytes, a secret has at most 65536"},
		{"a file that is missing", secret(`k = "file:none.txt"`), "none.txt: no such file"},
		{"a file that is not UTF-8", secret(`k = "file:bytes"`), "bytes is not UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Load(filepath.Join(folder(t, tt.files), "aviary.toml"))
			if err == nil {
				var a *App
				if a, err = Start(t.Context(), cfg, quiet); a != nil {
					t.Fatal("started")
				}
			}
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %v, want one that says %s", err, tt.want)
			}
		})
	}
}

// TestMismatchedSecrets: one that nobody may ask for, or that there is none of,
// is worth a word.
func TestMismatchedSecrets(t *testing.T) {
	t.Setenv("AVIARY_TEST_SECRET", "s3cret")
	_, l := startLogged(t, &Config{HTTP: HTTP{Addr: "127.0.0.1:0"}, Plugins: []Plugin{{
		Name: "x", Wasm: module(t), Topics: Topics{"a"}, Secrets: Secrets{"given": "env:AVIARY_TEST_SECRET"},
		Capabilities: &Capabilities{Serve: Topics{"a"}, Secrets: Keys{"wanted"}},
	}}})
	for _, want := range []string{
		`plugin x may ask for the secret \"wanted\", but there is none (plugin.secrets)" code=SECRET_MISSING`,
		`plugin x has the secret \"given\", but may not ask for it (capability secrets in [plugin.capabilities] of plugin x)" code=SECRET_UNUSED`,
	} {
		if !strings.Contains(l.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, l)
		}
	}
	if strings.Contains(l.String(), "s3cret") {
		t.Errorf("the log has the secret:\n%s", l)
	}
}

// binaryPush is a message of raw bytes as clients send it: lengths, then parts.
func binaryPush(joinRef, ref, topic, payload string) []byte {
	const event = "go"
	head := []byte{0, byte(len(joinRef)), byte(len(ref)), byte(len(topic)), byte(len(event))}
	return append(head, joinRef+ref+topic+event+payload...)
}

// say has the guest raw answer with a list of effects.
func say(c *hosttest.Client, topic string, list ...abi.Effect) {
	const at = 131072
	block := abi.AppendResponse(nil, &abi.Response{Effects: list})
	payload := binary.LittleEndian.AppendUint64(nil, at<<32|uint64(len(block)))
	c.SendBinary(binaryPush(c.Join(topic, ""), "99", topic, string(append(payload, block...))))
}

const (
	crashed = `["<j>","<j>","room:1","phx_error",{"reason":"channel_crash"}]`
	pushed  = `["<j>",null,"room:1","seen",{}]`
)

// TestGuestsKeepToTheirTopics: what the defaults and a manifest allow a guest,
// and what they do not, all over real sockets.
func TestGuestsKeepToTheirTopics(t *testing.T) {
	seen := abi.Effect{Kind: abi.EffectPush, Event: []byte("seen")}
	broadcast := func(topic string) abi.Effect {
		return abi.Effect{Kind: abi.EffectBroadcast, Topic: []byte(topic), Event: []byte("e")}
	}
	timer := abi.Effect{Kind: abi.EffectSendAfter, Value: 1e6, Event: []byte("e")}
	manifest := &Capabilities{Serve: Topics{"room:*"}, Broadcast: Topics{"news"}}
	untrusted := defaultCapabilities(Topics{"room:*"}, false)
	for _, tt := range []struct {
		name    string
		may     *Capabilities
		effect  abi.Effect
		allowed bool
		denial  string
	}{
		{"defaults, own topics", nil, broadcast("room:2"), true, ""},
		{"defaults, other topics", nil, broadcast("news"), false, `broadcast of "e": topic "news" is not among the plugin's broadcast topics (capability broadcast in the defaults: plugin raw has no manifest)`},
		{"defaults, timers", nil, timer, true, ""},
		{"defaults, disconnect", nil, abi.Effect{Kind: abi.EffectDisconnect, Key: []byte("users:1")}, false, `id topic "users:1"`},
		{"manifest, named", manifest, broadcast("news"), true, ""},
		{"manifest, own topic", manifest, broadcast(""), false, `topic "room:1" is not among`},
		{"manifest, timers", manifest, timer, false, "(capability timers in [plugin.capabilities] of plugin raw)"},
		{"untrusted, nothing more", untrusted, seen, true, ""},
		{"untrusted, broadcast", untrusted, broadcast(""), false, `topic "room:1" is not among`},
		{"untrusted, timers", untrusted, timer, false, "(capability timers"},
		{"untrusted, presence", untrusted, abi.Effect{Kind: abi.EffectPresencePush}, false, `topic "room:1" is not among the plugin's presence topics`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, l := startLogged(t, &Config{HTTP: HTTP{Addr: "127.0.0.1:0"}, Plugins: []Plugin{
				{Name: "raw", Path: filepath.Join(faults, "raw.wasm"), Topics: Topics{"room:*"}, Instances: 1, Capabilities: tt.may},
			}})
			c := hosttest.Dial(t, "ws://"+a.PublicAddr()+"/socket/websocket?vsn=2.0.0", hosttest.Options{})
			say(c, "room:1", seen, tt.effect)
			if tt.allowed {
				c.Expect(pushed)
			} else {
				c.Expect(crashed)
			}
			log := strings.ReplaceAll(l.String(), `\"`, `"`)
			if denied := strings.Contains(log, "code=CAPABILITY_DENIED"); denied == tt.allowed || !strings.Contains(log, tt.denial) {
				t.Errorf("denied: %v, want %v and %s:\n%s", denied, !tt.allowed, tt.denial, log)
			}
		})
	}
}

// ask has the guest imports call a function with a text. answers expects the
// number and the text that come back.
func ask(c *hosttest.Client, fn byte, text string) (answers func(n int32, written string)) {
	const (
		topic, ref   = "room:1", "99"
		request, out = 65536 + 136, 131072
		socketID     = 32
	)
	joinRef := c.Join(topic, "")
	at := uint32(request + socketID + len(topic) + len("go") + len(ref) + len(joinRef) + len(`""""`) + 20)
	payload := []byte{fn, 0, 1, 0}
	for _, arg := range []uint32{at, uint32(len(text)), out, 64} {
		payload = binary.LittleEndian.AppendUint32(payload, arg)
	}
	c.SendBinary(binaryPush(joinRef, ref, topic, string(payload)+text))
	return func(n int32, written string) {
		body := binary.LittleEndian.AppendUint32(nil, uint32(n))
		body = append(body, written...)
		body = append(body, make([]byte, 68-len(body))...)
		head := []byte{1, byte(len(joinRef)), byte(len(ref)), byte(len(topic)), byte(len("ok"))}
		c.ExpectBinary(append(append(head, joinRef+ref+topic+"ok"...), body...))
	}
}

// TestGuestsSeeWhatTheyMay: settings, secrets and presences by the imports.
func TestGuestsSeeWhatTheyMay(t *testing.T) {
	t.Setenv("AVIARY_TEST_SECRET", "s3cret\n")
	const fnConfig, fnPresenceList = 1, 2
	files := folder(t, map[string]string{"token": "t0ken\r\n"})
	plugin := Plugin{
		Name: "imports", Path: filepath.Join(faults, "imports.wasm"), Topics: Topics{"room:*"}, Instances: 1,
		Settings: map[string]any{"shown": 1, "hidden": 2},
		Secrets:  Secrets{"key": "env:AVIARY_TEST_SECRET", "token": "file:" + filepath.Join(files, "token"), "other": "env:AVIARY_TEST_SECRET"},
		Capabilities: &Capabilities{
			Serve: Topics{"room:*"}, Presence: Topics{"room:*"}, Config: Keys{"shown"}, Secrets: Keys{"key", "token"},
		},
	}
	defaults := plugin
	defaults.Capabilities = nil
	for _, tt := range []struct {
		name   string
		plugin Plugin
		fn     byte
		text   string
		n      int32
		want   string // "" with a denial is the end of the channel
		denial string
	}{
		{"setting", plugin, fnConfig, "shown", 1, `1`, ""},
		{"hidden setting", plugin, fnConfig, "hidden", -1, ``, ""},
		{"all settings", plugin, fnConfig, "", 11, `{"shown":1}`, ""},
		{"secret", plugin, fnConfig, "key", 8, `"s3cret"`, ""},
		{"secret of a file", plugin, fnConfig, "token", 7, `"t0ken"`, ""},
		{"hidden secret", plugin, fnConfig, "other", -1, ``, ""},
		{"presences", plugin, fnPresenceList, "room:2", 2, `{}`, ""},
		{
			"presences elsewhere", plugin, fnPresenceList, "news", 0, ``,
			`denied: presence_list: topic "news" is not among the plugin's presence topics (capability presence in [plugin.capabilities] of plugin imports)`,
		},
		{"default settings", defaults, fnConfig, "", 22, `{"hidden":2,"shown":1}`, ""},
		{"default secrets", defaults, fnConfig, "key", -1, ``, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, l := startLogged(t, &Config{HTTP: HTTP{Addr: "127.0.0.1:0"}, Plugins: []Plugin{tt.plugin}})
			c := hosttest.Dial(t, "ws://"+a.PublicAddr()+"/socket/websocket?vsn=2.0.0", hosttest.Options{})
			answers := ask(c, tt.fn, tt.text)
			log := func() string { return strings.ReplaceAll(l.String(), `\"`, `"`) }
			if tt.denial == "" {
				answers(tt.n, tt.want)
			} else {
				c.Expect(crashed)
				if !strings.Contains(log(), tt.denial) || !strings.Contains(log(), "code=CAPABILITY_DENIED") || a.Server().Info().Denied != 1 {
					t.Errorf("the log does not say %s:\n%s", tt.denial, log())
				}
			}
			if strings.Contains(log(), "s3cret") || strings.Contains(log(), "t0ken") {
				t.Errorf("the log has a secret:\n%s", log())
			}
		})
	}
}
