package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// A player is the test's program again, in a process of its own. It says a line when it is
// ready, plays until its standard input ends, and then says what has come of it, as JSON.

// Of the environment of a player.
const (
	playerRole = "AVIARY_HOSTILE_ROLE"
	playerPart = "AVIARY_HOSTILE_PART"
)

// The roles, and their parts.
const (
	playServer   = "server"   // a configuration file
	playEchoes   = "echoes"   // an address
	playAttacker = "attacker" // an address and a topic
)

// Clients of the attacker: so many sockets, each in a closed loop with so long from the
// beginning of a round to the next, and so long after an error before it joins again, as
// phoenix.js has it at the least.
const (
	attackConns = 8
	attackEvery = 20 * time.Millisecond
	rejoinAfter = time.Second
)

// noticed is what the neighbour's clients saw.
type noticed struct {
	Echoes     int
	P99, Worst time.Duration
}

// attacked is what the attacker's clients did: rounds that were made, and those of which the
// channel ended or did not begin.
type attacked struct{ Rounds, Failed int64 }

// play is what the program does instead of tests.
func play(role, part string) error {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	switch role {
	case playServer:
		return serveUntil(ctx, part)
	case playEchoes:
		return echoUntil(ctx, part)
	case playAttacker:
		url, topic, _ := strings.Cut(part, " ")
		return attackUntil(ctx, url, topic)
	}
	return fmt.Errorf("no role %q", role)
}

// serveUntil is aviary serve.
func serveUntil(ctx context.Context, path string) error {
	cfg, err := Load(path)
	if err != nil {
		return err
	}
	a, err := Start(ctx, cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	a.Loaded()
	fmt.Println("ws://" + a.PublicAddr() + "/socket/websocket?vsn=2.0.0")
	<-ctx.Done()
	return a.Close(context.WithoutCancel(ctx))
}

func echoUntil(ctx context.Context, url string) error {
	var clients []*echo
	for i := range echoConns {
		e, err := dialEcho(ctx, url, neighbourHost, fmt.Sprintf("echo:%d", i))
		if err != nil {
			return err
		}
		clients = append(clients, e)
	}
	fmt.Println("ready")
	type result struct {
		took []time.Duration
		err  error
	}
	results := make(chan result)
	for _, e := range clients {
		go func() {
			took, err := e.run(ctx)
			results <- result{took, err}
		}()
	}
	var all []time.Duration
	var failed error
	for range clients {
		r := <-results
		all, failed = append(all, r.took...), errors.Join(failed, r.err)
	}
	n := noticed{Echoes: len(all)}
	n.P99, n.Worst = figures(all)
	return errors.Join(failed, json.NewEncoder(os.Stdout).Encode(n))
}

func attackUntil(ctx context.Context, url, topic string) error {
	var rounds, failed atomic.Int64
	results := make(chan error)
	for range attackConns {
		go func() {
			c, err := dialAttacker(ctx, url, topic)
			for ctx.Err() == nil && err == nil {
				var good bool
				began := time.Now()
				if good, err = c.round(); err != nil {
					break
				}
				wait := time.Until(began.Add(attackEvery))
				if !good {
					failed.Add(1)
					wait = rejoinAfter
				}
				if rounds.Add(1) == 1 {
					fmt.Println("ready")
				}
				select {
				case <-ctx.Done():
				case <-time.After(wait):
				}
			}
			results <- err
		}()
	}
	var all error
	for range attackConns {
		all = errors.Join(all, <-results)
	}
	return errors.Join(all, json.NewEncoder(os.Stdout).Encode(attacked{rounds.Load(), failed.Load()}))
}

// attacker is a client of a hostile guest.
type attacker struct {
	net.Conn
	topic, payload string
	ref            int
}

func dialAttacker(ctx context.Context, url, topic string) (*attacker, error) {
	conn, _, _, err := (&ws.Dialer{Host: attackerHost}).Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	return &attacker{Conn: conn, topic: topic, payload: attackPayload(topic)}, nil
}

// round joins, attacks, asks the guest for something harmless and leaves. It is not good if
// the join was refused or the channel ended by itself.
func (c *attacker) round() (good bool, err error) {
	c.ref++
	joinRef := strconv.Itoa(c.ref)
	for _, m := range []struct{ event, payload string }{{"phx_join", "{}"}, {"attack", c.payload}, {"ping", "{}"}, {"phx_leave", "{}"}} {
		ref, err := c.send(joinRef, m.event, m.payload)
		if err != nil {
			return false, err
		}
		if m.event == "attack" {
			continue // some answer it, and some do not
		}
		if ok, err := c.answered(joinRef, ref); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (c *attacker) send(joinRef, event, payload string) (ref string, err error) {
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", err
	}
	c.ref++
	ref = strconv.Itoa(c.ref)
	if event == "phx_join" {
		ref = joinRef
	}
	return ref, wsutil.WriteClientText(c, fmt.Appendf(nil, `[%q,%q,%q,%q,%s]`, joinRef, ref, c.topic, event, payload))
}

// answered reads up to the reply to a message, and tells whether it came and is good. A guest
// can push what looks like one, and broadcast anything.
func (c *attacker) answered(joinRef, ref string) (bool, error) {
	for {
		text, err := wsutil.ReadServerText(c)
		if err != nil {
			return false, err
		}
		var m [5]json.RawMessage
		if err := json.Unmarshal(text, &m); err != nil {
			return false, fmt.Errorf("%s: %w", text, err)
		}
		switch {
		case string(m[0]) != strconv.Quote(joinRef):
		case string(m[3]) == `"phx_error"`:
			return false, nil
		case string(m[1]) == strconv.Quote(ref) && string(m[3]) == `"phx_reply"`:
			return bytes.Contains(m[4], []byte(`"status":"ok"`)), nil
		}
	}
}

// player is a process that plays.
type player struct {
	role string
	cmd  *exec.Cmd
	in   io.Closer
	out  *bufio.Reader
	log  bytes.Buffer // its standard error; complete once it has ended
	done bool
}

func startPlayer(t *testing.T, role, part string) *player {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &player{role: role, cmd: exec.CommandContext(t.Context(), program)}
	p.cmd.Env = append(os.Environ(), playerRole+"="+role, playerPart+"="+part)
	p.cmd.Stderr = &p.log
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.end(t) })
	return p
}

// line reads one of what it says.
func (p *player) line(t *testing.T) string {
	t.Helper()
	text, err := p.out.ReadString('\n')
	if err != nil {
		p.end(t)
		t.Fatalf("%s says %q: %v", p.role, text, err)
	}
	return strings.TrimSpace(text)
}

// result has it end, and reads what has come of it.
func (p *player) result(t *testing.T, v any) {
	t.Helper()
	if err := p.in.Close(); err != nil {
		t.Error(err)
	}
	if text := p.line(t); json.Unmarshal([]byte(text), v) != nil {
		t.Errorf("%s says %s", p.role, text)
	}
	p.end(t)
}

// end has it end, if it has not, and waits for that.
func (p *player) end(t *testing.T) {
	t.Helper()
	if p.done {
		return
	}
	p.done = true
	_ = p.in.Close() // may be closed
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%s: %v\n%.4000s", p.role, err, &p.log)
	}
}

// resident returns how much memory it takes, 0 where nobody tells.
func (p *player) resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0 // of Linux
	}
	return statm(t, string(text))
}
