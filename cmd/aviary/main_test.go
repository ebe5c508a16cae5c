package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestExitCodes: what went wrong is told by the code, and in words on stderr.
func TestExitCodes(t *testing.T) {
	faults, err := filepath.Abs("../../plugins/testdata/faults")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_CACHE_HOME", dir)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() }) // the test is over
	taken := ln.Addr().String()
	free := closedAddr(t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fault := func(name string) string { return filepath.Join(faults, name+".wasm") }
	echo := fault("echo")
	for _, tt := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"version"}, 0, "(abi 1.0, go1", ""},
		{[]string{"--help"}, 0, "demo", ""},
		{nil, exitUsage, "", "expected one of"},
		{[]string{"sevre"}, exitUsage, "", "unexpected argument sevre"},
		{[]string{"--version"}, 0, "(abi 1.0, go1", ""},
		{[]string{"serve"}, exitConfig, "", filepath.Join(dir, "aviary.toml")},
		{[]string{"serve", "-c", filepath.Join(dir, "none.toml")}, exitConfig, "", "none.toml"},
		{[]string{"serve", "-c", file("typo.toml", "[http]\nadr = \"x\"\n")}, exitConfig, "", "adr"},
		{[]string{"serve", "-c", file("no-module.toml", "[[plugin]]\nname=\"x\"\npath=\"x.wasm\"\ntopics=[\"t\"]\n")}, exitPlugin, "", "x.wasm"},
		{
			[]string{"serve", "-c", file("wide.toml", "[[plugin]]\nname=\"x\"\npath=\"x.wasm\"\ntopics=[\"t\"]\nmanifest=\""+file("x.toml", "[capabilities]\nserve=[\"s\"]\n")+"\"\n")},
			exitConfig, "", `topics "t" are not within serve = ["s"] (capability serve in x.toml)`,
		},
		{[]string{"demo", "--addr", "4100"}, exitUsage, "", "--addr 4100: it has to be host:port"},
		{[]string{"demo", "--addr", taken}, exitFailure, "", taken + " is in use; try: aviary demo --addr 127.0.0.1:0"},
		{[]string{"demo", "--addr", "256.0.0.1:1"}, exitFailure, "", "http.addr"},
		{[]string{"new"}, exitUsage, "", "<name> is missing"},
		{[]string{"new", "Room"}, exitUsage, "", `"Room": a project's name has 1 to 40 of a-z, 0-9 and -`},
		{[]string{"new", "room", "--lang", "cobol"}, exitUsage, "", `unknown language "cobol": there are`},
		{[]string{"new", "--list"}, 0, "go              Go           ready", ""},
		{[]string{"build"}, exitFailure, "", "there is no aviary.json in " + dir + "; `aviary new NAME` makes one"},
		{[]string{"check"}, exitFailure, "", "there is no aviary.json"},
		{[]string{"check", "none.wasm"}, exitFailure, "", "none.wasm"},
		{[]string{"check", echo, "--join", "{"}, exitFailure, "", "--join { is not JSON"},
		{[]string{"check", echo}, 0, "it keeps to abi/SPEC.md, as far as was looked at", ""},
		{[]string{"check", echo, "--json"}, 0, `"findings": [],`, ""},
		{[]string{"check", fault("unknown_result")}, exitFailure, "SPEC 4.2: handle_in:", "unknown_result.wasm: it does not keep to the ABI: 1 findings"},
		{[]string{"abi"}, 0, `"handle_in": 3`, ""},
		{[]string{"bench"}, exitUsage, "", "<workload>"},
		{[]string{"bench", "ping"}, exitUsage, "", "ping"},
		{[]string{"bench", "echo", "--url", "http://x"}, exitUsage, "", `url "http://x" is not like ws://127.0.0.1:4000/socket`},
		{[]string{"bench", "echo", "--rate", "5"}, exitUsage, "", "--rate 5 goes with fanout, mixed and presence"},
		{[]string{"bench", "mixed", "--deaf", "95"}, exitUsage, "", "connections 100 are less than 10 and deaf 95"},
		{[]string{"bench", "mixed", "--flat", "5"}, exitUsage, "", "flat 5 needs the pid of the server"},
		{[]string{"bench", "echo", "--warmup=-1s"}, exitUsage, "", "--warmup -1s is negative"},
		{[]string{"bench", "echo", "-c", "0"}, exitUsage, "", "connections 0 is not between 1 and 1000000"},
		{[]string{"bench", "echo", "--pid=-7"}, exitUsage, "", "pid -7"},
		{[]string{"bench", "join", "--join-payload", "[]"}, exitUsage, "", "join payload [] is no JSON object"},
		{[]string{"bench", "echo", "--url", "ws://" + free + "/socket"}, exitFailure, "", "connection 0, room:0000, connecting: connect: connection refused"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), tt.args, &stdout, &stderr)
			if code != tt.code || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit %d, want %d\nstdout: %s\nstderr: %s\nwant %q and %q", code, tt.code, &stdout, &stderr, tt.stdout, tt.stderr)
			}
		})
	}
}

// closedAddr is an address on which nobody listens.
func closedAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }() // it was only to find a port
	return ln.Addr().String()
}

// TestChatMay: the demo has its manifest with it, and keeps to what it needs.
func TestChatMay(t *testing.T) {
	may, err := chatMay()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := may.String(), "serve room:*; broadcast room:*; presence room:*; log"; got != want {
		t.Errorf("the chat may %s, want %s", got, want)
	}
}

// TestSupervise: the first signal ends the context, the second the wait for
// the work; also where SIGINT was ignored before.
func TestSupervise(t *testing.T) {
	signal.Ignore(os.Interrupt)
	t.Cleanup(func() { signal.Reset(os.Interrupt) })
	interrupt := func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}
	t.Run("no signal", func(t *testing.T) {
		if code := supervise(func(context.Context) int { return 7 }); code != 7 {
			t.Errorf("exit %d", code)
		}
	})
	t.Run("one signal", func(t *testing.T) {
		code := supervise(func(ctx context.Context) int {
			interrupt()
			<-ctx.Done()
			if cause := context.Cause(ctx).Error(); cause != "signal: interrupt" {
				t.Error(cause)
			}
			return 7
		})
		if code != 7 {
			t.Errorf("exit %d", code)
		}
	})
	t.Run("two signals", func(t *testing.T) {
		release, ended := make(chan struct{}), make(chan struct{})
		code := supervise(func(ctx context.Context) int {
			defer close(ended)
			interrupt()
			<-ctx.Done()
			interrupt()
			<-release
			return 7
		})
		if code != 130 {
			t.Errorf("exit %d, want 130", code)
		}
		close(release)
		<-ended
	})
}

// untilServing is a log that ends the server once it serves.
type untilServing struct {
	bytes.Buffer
	cancel func()
}

func (l *untilServing) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("msg=serving")) {
		l.cancel()
	}
	return l.Buffer.Write(p)
}

// TestServe: the log names what a client needs, and the end is clean. Without
// -c the file is the one in the working directory.
func TestServe(t *testing.T) {
	module, err := filepath.Abs("../../plugins/testdata/faults/echo.wasm")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	text := "[http]\naddr = \"127.0.0.1:0\"\n[[plugin]]\nname = \"echo\"\npath = '" + module + "'\ntopics = [\"a:*\", \"b\"]\n" +
		"[[mount]]\n[[mount]]\npath = \"/admin\"\n"
	if err := os.WriteFile("aviary.toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stdout bytes.Buffer
	stderr := untilServing{cancel: cancel}
	code := run(ctx, []string{"serve"}, &stdout, &stderr)
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	log := stderr.String()
	for _, want := range []string{
		"msg=\"loading plugin\" plugin=echo", "msg=serving", `clients="ws://127.0.0.1:`,
		"/socket/websocket ws://127.0.0.1:", `/admin/websocket"`, `topics="a:* b"`, "msg=draining",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %s:\n%s", want, log)
		}
	}
}

// TestServeInterrupted: a signal while a module is loaded is not its fault.
func TestServeInterrupted(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	code := run(ctx, []string{"demo", "--addr", "127.0.0.1:0"}, &stdout, &stderr)
	if code != exitFailure || !strings.Contains(stderr.String(), "interrupted while loading plugin chat") {
		t.Errorf("exit %d, want %d\n%s", code, exitFailure, &stderr)
	}
}
