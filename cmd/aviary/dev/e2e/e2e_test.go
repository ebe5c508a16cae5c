// Package e2e develops a project as somebody with a browser would.
//
// Environment: AVIARY_SHOTS is a directory to keep the screenshots in; those of
// package tools say where Node's packages and the browser are.
package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/cmd/aviary/dev"
	"github.com/aviary-host/aviary/examples/chat"
	"github.com/aviary-host/aviary/host/hosttest/tools"
	"github.com/aviary-host/aviary/sdk/sdktest"
)

const storyTime = 8 * time.Minute

// edits are what the script asks to be saved: in place of a part of main.go another one.
var edits = map[string][2]string{
	"change": {`"no such event: " + c.Event()`, `"nobody knows how to " + c.Event()`},
	"break":  {"func main() {}", "func main() { return 1 }"},
	"repair": {"func main() { return 1 }", "func main() {}"},
	"panic":  {"	return c.Reply(aviary.Object().Str(\"name\", c.State().Name).Int(\"n\", c.State().Sent))", "	panic(\"this is my fault\")"},
}

// save makes an edit.
func save(dir, what string) error {
	edit, ok := edits[what]
	if !ok {
		return fmt.Errorf("the script asks for %q", what)
	}
	file := filepath.Join(dir, "main.go")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), edit[0]) {
		return fmt.Errorf("main.go has no %q", edit[0])
	}
	return os.WriteFile(file, []byte(strings.Replace(string(text), edit[0], edit[1], 1)), 0o600)
}

// TestPlayground: a line that is changed is live in open tabs, whose channels go on.
func TestPlayground(t *testing.T) {
	if testing.Short() {
		t.Skip("builds modules")
	}
	node := tools.Node(t)
	modules := tools.NodeModules(t, "package.json")
	browser := tools.Chromium(t)
	dir := sdktest.New(t, "go")
	client, err := chat.Pages()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), storyTime)
	defer cancel()
	url, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- dev.Run(ctx, dev.Config{
			Dir: dir, Addr: "127.0.0.1:0", Client: client, Out: testLog{t}, Log: slog.DiscardHandler,
			Ready: func(at string) { url <- at },
		})
	}()
	select {
	case at := <-url:
		cmd := exec.CommandContext(ctx, node, "playground.mjs")
		cmd.Env = append(os.Environ(), "AVIARY_NODE_MODULES="+modules, "CHROMIUM="+browser, "AVIARY_URL="+at, "AVIARY_SHOTS="+tools.Shots(t))
		play(t, cmd, dir)
		cancel()
		err = <-done
	case err = <-done:
	}
	if err != nil {
		t.Error(err)
	}
}

// testLog prints into the log of the test.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// play runs the script to its end, and does what its lines with an @ ask for.
func play(t *testing.T, cmd *exec.Cmd, dir string) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	var listening sync.WaitGroup
	listening.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			what, asked := strings.CutPrefix(lines.Text(), "@")
			if !asked {
				t.Log(lines.Text())
				continue
			}
			answer := "done"
			if err := save(dir, what); err != nil {
				answer = err.Error()
			}
			_, _ = fmt.Fprintln(stdin, answer) // a script that is gone has failed already
		}
	})
	err = cmd.Run()
	_ = in.Close() // never fails
	listening.Wait()
	if err != nil {
		t.Errorf("the script: %v", err)
	}
}
