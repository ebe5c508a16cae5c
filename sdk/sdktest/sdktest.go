package sdktest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/cmd/aviary/app"
	"github.com/aviary-host/aviary/cmd/aviary/project"
	"github.com/aviary-host/aviary/host/hosttest"
	"github.com/aviary-host/aviary/sdk"
)

// name is that of the projects; it shows what {{crate}} is for.
const name = "first-room"

// New writes a project in a language and returns its directory.
func New(t testing.TB, language string) string {
	t.Helper()
	l, err := sdk.Find(language)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), name)
	if _, err := l.Write(dir, name); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Build writes a project in a language, builds it, and returns the path of the module. A
// missing tool skips the test, and fails it where CI is set.
func Build(t testing.TB, language string) string {
	t.Helper()
	p, err := project.Open(New(t, language))
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	err = p.Build(t.Context(), &said)
	SkipMissing(t, err)
	if err != nil {
		t.Fatalf("%s: %v\n%s", language, err, &said)
	}
	return p.Module()
}

// SkipMissing skips the test if that is why a build failed: a tool is missing, or there is
// a Rust that only compiles for the machine it is on. Where CI is set it does nothing.
func SkipMissing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		return
	}
	var missing *project.ToolError
	var failed *project.BuildError
	if errors.As(err, &missing) || errors.As(err, &failed) && strings.Contains(failed.Output, "target may not be installed") {
		t.Skip(err)
	}
}

// log is what a server logs.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// closeTimeout bounds the end of a server.
const closeTimeout = 10 * time.Second

// Serve serves a module for room:* and returns where clients connect. What the server
// logs is shown if the test fails.
func Serve(t testing.TB, module string) (url string) {
	t.Helper()
	var logged log
	a, err := app.Start(t.Context(), &app.Config{
		HTTP:    app.HTTP{Addr: "127.0.0.1:0"},
		Plugins: []app.Plugin{{Name: "room", Path: module, Topics: []string{"room:*"}}},
		Mounts:  []app.Mount{{Path: "/socket"}},
		// Each change of a presence by itself, so that a session has one order.
		Presence: app.Presence{Tick: app.Tick{Duration: -1}},
	}, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if err := a.Close(ctx); err != nil {
			t.Errorf("closing the server: %v", err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", &logged)
		}
	})
	return a.ClientURLs()[0] + "?vsn=2.0.0"
}

// Play serves a module and plays a session with it.
func Play(t testing.TB, module, session string) {
	t.Helper()
	text, err := os.ReadFile(session)
	if err != nil {
		t.Fatal(err)
	}
	url := Serve(t, module)
	ref := regexp.MustCompile(`"phx_ref":"[^"]+"`)
	clients := map[string]*hosttest.Client{}
	lines := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		who, rest, _ := strings.Cut(line, " ")
		c := clients[who]
		if c == nil {
			c = hosttest.Dial(t, url, hosttest.Options{})
			clients[who] = c
		}
		lines++
		if frame, ok := strings.CutPrefix(rest, "> "); ok {
			c.Send(frame)
			continue
		}
		want, ok := strings.CutPrefix(rest, "< ")
		if !ok {
			t.Fatalf("%s: %q is neither sent nor expected", session, line)
		}
		got := ref.ReplaceAllString(c.Receive().Text, `"phx_ref":"<ref>"`)
		if got != want {
			t.Fatalf("%s: %s got\n%s\nwant\n%s\nthe dialogue:\n%s", session, who, got, want, c.Dialogue())
		}
	}
	if lines == 0 {
		t.Fatalf("%s is empty", session)
	}
	for _, c := range clients {
		c.ExpectSilence()
	}
}
