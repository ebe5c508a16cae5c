package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/aviary-host/aviary/host/hosttest"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/hostile"
)

// The guests of plugins/testdata/hostile, each next to a good one whose clients echo at a
// steady rate. Here it is looked at what happens, in one process and with the limits off that
// would end an attack early. What the others notice, make hostile measures: of attacks by
// clients in TestHostileNeighbours, with processes and limits as they are in earnest, and of
// modules that are loaded here. The machine must be free for that.

const corpus = "../../../plugins/testdata/hostile"

// measuring tells that times are looked at.
func measuring() bool { return os.Getenv("AVIARY_HOSTILE") == "measure" && !raceEnabled }

// What others may notice of an attack (the second as a multiple of what it is without one).
const (
	mostEcho  = 20 * time.Millisecond
	mostTimes = 2
	tries     = 3 // the machine is shared: an attack is done when one of so many measurements is good
)

// How long is measured.
const (
	quietTime  = time.Second
	attackTime = 2 * time.Second
)

// attackRounds is how often an attack is made where nothing is measured.
const attackRounds = 2

// notHere are guests whose answers plugins/hostile_test.go looks at: they do no harm.
var notHere = map[string]bool{"secret": true, "float_select": true}

func guests(t *testing.T) []hostile.Attack {
	t.Helper()
	all, err := hostile.Corpus(corpus)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// stage is a server with a good plugin and perhaps a hostile one.
type stage struct {
	*App
	log *log
	url string

	measured bool // times are looked at
}

// newStage starts a server for the length of the test.
func newStage(t *testing.T, hostiles ...Plugin) *stage {
	t.Helper()
	var off Rate
	if err := off.UnmarshalText([]byte("off")); err != nil {
		t.Fatal(err)
	}
	cfg := &Config{
		HTTP:    HTTP{Addr: "127.0.0.1:0"},
		Plugins: append([]Plugin{{Name: "echo", Path: filepath.Join(faults, "echo.wasm"), Topics: []string{"echo:*"}}}, hostiles...),
		Mounts:  []Mount{{MaxFrame: 256 << 10, Limits: Limits{Frames: off, Messages: off, Joins: off, Channel: off}}},
	}
	s := &stage{log: &log{}, measured: measuring()}
	var err error
	if s.App, err = Start(t.Context(), cfg, slog.New(slog.NewTextHandler(s.log, nil))); err != nil {
		t.Fatal(err)
	}
	s.url = "ws://" + s.PublicAddr() + "/socket/websocket?vsn=2.0.0"
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s
}

// hostilePlugin is the guest as a plugin. Where nothing is measured, it is fuel that ends it,
// however slow the machine is.
func hostilePlugin(a *hostile.Attack) Plugin {
	p := Plugin{
		Name: a.Name, Wasm: a.Wasm, Topics: []string{a.Name},
		Breaker: Breaker{plugins.Breaker{Failures: -1}}, // it is asked again and again
	}
	if a.Name != "effect_foreign" { // the others may do all there is
		all := Topics{"*"}
		p.Capabilities = &Capabilities{
			Serve: all, Broadcast: all, Subscribe: all, Presence: all, SendInfo: all, Disconnect: all,
			SendInfoOthers: true, Timers: true, Intercept: true, Log: true, Config: Keys{"*"},
		}
	}
	if !measuring() {
		p.Deadline = Duration{time.Minute}
	}
	return p
}

// TestHostileGuests: every attack ends with the error that README.md names, those who
// are next to it go on, memory and goroutines come back, and the guest is good again.
func TestHostileGuests(t *testing.T) {
	for _, a := range guests(t) {
		if a.AtLoad || notHere[a.Name] {
			continue
		}
		t.Run(a.Name, func(t *testing.T) {
			checkLeaks(t)
			s := newStage(t, hostilePlugin(&a))
			s.measured = false // TestHostileNeighbours does
			s.report(t, a.Name, func(time.Time) {
				c := hosttest.Dial(t, s.url, hosttest.Options{})
				defer c.Drop()
				for range attackRounds {
					attack(c, &a)
					ping(c, a.Name)
				}
			})
			checkLog(t, s.log.String(), &a)
		})
	}
}

// checkLeaks looks for goroutines that are left at the end of a test.
func checkLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, before,
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
	})
}

// attack joins the topic of a guest and has it attack, which ends the channel if it ends
// with an error.
func attack(c *hosttest.Client, a *hostile.Attack) {
	joinRef := c.Join(a.Name, "")
	c.Push(a.Name, "attack", attackPayload(a.Name))
	if a.Error != "" {
		c.Expect(fmt.Sprintf(`[%q,%q,%q,"phx_error",{"reason":"channel_crash"}]`, joinRef, joinRef, a.Name))
		return
	}
	ref := c.Push(a.Name, "ping", "")
	for c.Receive().Ref != ref { // what it answers, if it does
	}
	c.Leave(a.Name)
}

// attackPayload is what a guest attacks by, if it is more than an event.
func attackPayload(name string) string {
	if name == "alloc_later_loop" {
		return `"` + strings.Repeat("x", 100_000) + `"`
	}
	return "{}"
}

// ping is a good callback of a guest that attacks at other times.
func ping(c *hosttest.Client, topic string) {
	joinRef := c.Join(topic, "")
	ref := c.Push(topic, "ping", `{"n":1}`)
	c.Expect(fmt.Sprintf(`[%q,%q,%q,"phx_reply",{"status":"ok","response":{"n":1}}]`, joinRef, ref, topic))
	c.Leave(topic)
}

// checkLog looks for the error of an attack, with code, plugin, callback and cause.
func checkLog(t *testing.T, text string, a *hostile.Attack) {
	t.Helper()
	if a.Error == "" {
		if strings.Contains(text, "level=ERROR") {
			t.Errorf("there is an error in the log:\n%.2000s", text)
		}
		return
	}
	prefix := "plugin " + a.Name + ": handle_in: "
	if a.ByHost {
		prefix = ""
	}
	causes := []string{a.Error}
	if strings.HasPrefix(a.Error, "fuel: ") && measuring() {
		causes = append(causes, "deadline: over its deadline of 50ms (plugin.deadline), in ")
	}
	for line := range strings.Lines(text) {
		for _, cause := range causes {
			if !strings.Contains(line, "level=ERROR") || !strings.Contains(line, `="`+quoted(prefix+cause)) {
				continue
			}
			code := "CALLBACK_FAILED"
			if a.Name == "effect_foreign" {
				code = "CAPABILITY_DENIED"
			}
			if !strings.Contains(line, " code="+code+" callback=handle_in ") || !strings.Contains(line, " plugin="+a.Name+" ") {
				t.Errorf("the error has no code, callback or plugin: %s", line)
			}
			return
		}
	}
	t.Errorf("the log does not say %q:\n%.4000s", causes[0], text)
}

// quoted is how a text stands within a quoted attribute of the log.
func quoted(s string) string {
	q := fmt.Sprintf("%q", s)
	return q[1 : len(q)-1]
}

// TestHostileTerminate: a guest that fails and then does not even end well costs its budget
// twice, and the log says so.
func TestHostileTerminate(t *testing.T) {
	a := guest(t, "terminate_loop")
	s := newStage(t, hostilePlugin(a))
	c := hosttest.Dial(t, s.url, hosttest.Options{})
	attack(c, a)
	if want := "plugin terminate_loop: terminate: fuel: over its fuel of 10000000 (plugin.fuel), in terminate"; !measuring() && !strings.Contains(s.log.String(), want) {
		t.Errorf("the log does not say %q:\n%s", want, s.log)
	}
}

func guest(t *testing.T, name string) *hostile.Attack {
	t.Helper()
	for _, a := range guests(t) {
		if a.Name == name {
			return &a
		}
	}
	t.Fatalf("no guest %s", name)
	return nil
}

// TestHostileConnect: a connect that never ends refuses the client, and nobody else.
func TestHostileConnect(t *testing.T) {
	a := guest(t, "connect_loop")
	l := &log{}
	s, err := Start(t.Context(), &Config{
		HTTP:    HTTP{Addr: "127.0.0.1:0"},
		Plugins: []Plugin{hostilePlugin(a)},
		Mounts:  []Mount{{Path: "/bad", Connect: a.Name}, {Path: "/good"}},
	}, slog.New(slog.NewTextHandler(l, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // behind the clients, for whose answers it would wait
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if r := hosttest.DialRefused(t, "ws://"+s.PublicAddr()+"/bad/websocket?vsn=2.0.0", hosttest.Options{}); r.Status != 500 {
		t.Errorf("refused with %d", r.Status)
	}
	ping(hosttest.Dial(t, "ws://"+s.PublicAddr()+"/good/websocket?vsn=2.0.0", hosttest.Options{}), a.Name)
	if want := "plugin connect_loop: connect: fuel: over its fuel of 10000000 (plugin.fuel)"; !measuring() && !strings.Contains(l.String(), want) {
		t.Errorf("the log does not say %q:\n%s", want, l)
	}
}

// loadTime bounds the compilation of a module that is loaded next to others.
const loadTime = 10 * time.Second

// TestHostileLoads: what attacks while it is loaded is refused with the error that
// README.md names, and others go on.
func TestHostileLoads(t *testing.T) {
	s := newStage(t)
	for _, a := range guests(t) {
		if !a.AtLoad {
			continue
		}
		t.Run(a.Name, func(t *testing.T) {
			cfg, want := plugins.Config{Name: a.Name}, "plugin "+a.Name+": "+a.Error
			if !measuring() { // the error says how much it was
				cfg.Fuel = 100_000
				want = strings.Replace(want, "1000000000 ", "10000000 ", 1)
			}
			var err error
			s.report(t, a.Name, func(time.Time) { err = tryLoad(t, a.Wasm, cfg) }).print(a.Error)
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error is\n%v\nwant\n%s", err, want)
			}
		})
	}
}

// TestHostileCompilation: the largest bomb of each shape is compiled, or is not in time,
// and others go on. The next larger one is refused by its cap.
func TestHostileCompilation(t *testing.T) {
	if raceEnabled {
		t.Skip("the compiler is slow under the race detector, and the host has no part in it")
	}
	s := newStage(t)
	for _, b := range hostile.Bombs() {
		t.Run(b.Name, func(t *testing.T) {
			admitted, refused, _ := b.Largest(measuring())
			if !measuring() {
				admitted /= 8
			}
			if err := s.compile(t, &b, admitted); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%d: %v", admitted, err)
			}
			if err := s.compile(t, &b, refused); err == nil || !strings.Contains(err.Error(), b.Cap) {
				t.Errorf("%d: error is %v, want %s", refused, err, b.Cap)
			}
		})
	}
}

// compile loads a bomb and reports what others notice.
func (s *stage) compile(t *testing.T, b *hostile.Bomb, size int) error {
	t.Helper()
	wasm, text := b.Module(size).Encode(), ""
	var err error
	r := s.report(t, fmt.Sprintf("%d %s", size, b.Name), func(time.Time) {
		err = tryLoad(t, wasm, plugins.Config{Name: "bomb"})
	})
	if err != nil {
		text = err.Error()
	}
	r.print(text)
	return err
}

// tryLoad loads a module, and closes it again.
func tryLoad(t *testing.T, wasm []byte, cfg plugins.Config) error {
	ctx, cancel := context.WithTimeout(t.Context(), loadTime)
	defer cancel()
	p, err := plugins.Load(ctx, wasm, cfg)
	if err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	return nil
}
