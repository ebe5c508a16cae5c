// Package e2e drives the demo chat as two people with a browser each would.
//
// Environment: AVIARY_SHOTS is a directory to keep the screenshots in; those of
// package tools say where Node's packages and the browser are.
package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host/hosttest/tools"
)

const (
	binary      = "../../../bin/aviary"
	startupTime = 60 * time.Second
	storyTime   = 3 * time.Minute
)

var greeting = regexp.MustCompile(`open http://([^/\s]+)/`)

// demo is a running `aviary demo`.
type demo struct {
	addr   string // host:port
	cmd    *exec.Cmd
	output sync.WaitGroup // reading what it prints
}

// startDemo starts the demo on addr and waits until it says where it listens.
func startDemo(addr string) (*demo, error) {
	cmd := exec.Command(binary, "demo", "--addr", addr)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &demo{cmd: cmd}
	found := make(chan string, 1)
	d.output.Go(func() {
		defer close(found)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if m := greeting.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
				break
			}
		}
		_, _ = io.Copy(io.Discard, stdout) // until it ends
	})
	select {
	case d.addr = <-found:
	case <-time.After(startupTime):
	}
	if d.addr == "" {
		return nil, errors.Join(errors.New("the demo did not print where it listens"), d.kill())
	}
	return d, nil
}

// kill ends the demo as a crash would.
func (d *demo) kill() error {
	err := d.cmd.Process.Kill()
	d.output.Wait()
	_ = d.cmd.Wait() // says that it was killed
	return err
}

// story is the Node script that plays both people.
type story struct {
	t     *testing.T
	demo  *demo
	stdin io.Writer
}

// listen copies what the script prints to the test's log and does what its
// lines with an @ ask for, until the script ends.
func (s *story) listen(stdout io.Reader) {
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		what, asked := strings.CutPrefix(lines.Text(), "@")
		if !asked {
			s.t.Log(lines.Text())
			continue
		}
		answer := "done"
		if err := s.do(what); err != nil {
			answer = "could not " + what
			s.t.Errorf("%s: %v", what, err)
		}
		_, _ = fmt.Fprintln(s.stdin, answer) // a script that is gone has failed already
	}
}

func (s *story) do(what string) (err error) {
	switch what {
	case "stop":
		return s.demo.kill()
	case "start":
		var again *demo
		if again, err = startDemo(s.demo.addr); err == nil {
			s.demo = again
		}
		return err
	}
	return fmt.Errorf("the script asks for %q", what)
}

func TestTwoTabs(t *testing.T) {
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("run `make build` first: %v", err)
	}
	node := tools.Node(t)
	modules := tools.NodeModules(t, "package.json")
	browser := tools.Chromium(t)

	d, err := startDemo("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, demo: d}
	t.Cleanup(func() { _ = s.demo.kill() }) // it may be dead after a failed restart

	ctx, cancel := context.WithTimeout(t.Context(), storyTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "chat.mjs")
	cmd.Env = append(os.Environ(),
		"AVIARY_NODE_MODULES="+modules,
		"CHROMIUM="+browser,
		"AVIARY_URL=http://"+d.addr+"/",
		"AVIARY_SHOTS="+tools.Shots(t))
	s.run(cmd)
}

// run runs the script to its end.
func (s *story) run(cmd *exec.Cmd) {
	s.t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.stdin = stdin
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	var listening sync.WaitGroup
	listening.Go(func() { s.listen(out) })
	err = cmd.Run()
	_ = in.Close() // never fails
	listening.Wait()
	if err != nil {
		s.t.Errorf("the script: %v", err)
	}
}
