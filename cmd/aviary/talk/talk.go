package talk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aviary-host/aviary/host/client"
)

const (
	heartbeat = 30 * time.Second // as phoenix.js
	maxLine   = 1 << 20          // bytes that are typed
)

// ErrRefused is wrapped where the server does not let the client join.
var ErrRefused = errors.New("the join was refused")

// ErrEnded is wrapped where the server ends the channel or the connection.
var ErrEnded = errors.New("the server ended it")

// Config says whom to speak with.
type Config struct {
	URL    string // as for phoenix.js
	Topic  string
	Join   json.RawMessage   // payload; empty means {}
	Params map[string]string // of the socket
	In     io.Reader         // lines; a read from it may outlast Talk
	Out    io.Writer
}

// Talk joins the topic and speaks until the end of the input, of ctx or of the channel.
func Talk(ctx context.Context, cfg Config) error {
	c, err := client.Dial(ctx, cfg.URL, client.Options{Params: cfg.Params})
	if err != nil {
		return fmt.Errorf("%s: %w", cfg.URL, err)
	}
	t := &talker{cfg: cfg, c: c}
	messages := make(chan received)
	done := make(chan struct{})
	go func() {
		defer close(messages)
		for {
			m, err := c.Read()
			select {
			case messages <- received{m, err}:
			case <-done:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	defer func() {
		close(done)
		_ = c.Close()        // it is over: one that is gone is as good as closed
		for range messages { // until the reader has ended
		}
	}()
	if t.joinRef, err = c.Join(cfg.Topic, cfg.Join); err != nil {
		return err
	}
	return t.loop(ctx, messages)
}

// received is a message, or the end.
type received struct {
	m   *client.Message
	err error
}

// talker is a conversation.
type talker struct {
	cfg     Config
	c       *client.Client
	joinRef string
	joined  bool
	barrier string // ref of the heartbeat at the end of the input, empty before
	leaving string // ref of the leave, empty before
}

func (t *talker) loop(ctx context.Context, messages <-chan received) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var lines <-chan string // none before the join was answered
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			if _, err := t.c.Heartbeat(); err != nil {
				return err
			}
		case line, ok := <-lines:
			if err := t.say(line, ok); err != nil {
				return err
			}
			if !ok {
				lines = nil
			}
		case r := <-messages:
			if r.err != nil {
				return fmt.Errorf("%w: %w", ErrEnded, r.err)
			}
			over, err := t.hear(r.m)
			if over || err != nil {
				return err
			}
			if t.joined && lines == nil && t.barrier == "" {
				lines = readLines(ctx, t.cfg.In)
			}
		}
	}
}

// readLines passes lines on. Nothing interrupts a read from a terminal, so that it may
// outlast whoever waits for it.
func readLines(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, maxLine)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// say sends a line. ok is false at the end of the input: then the reply of a heartbeat tells
// that the server has done all that it was sent, replies or not.
func (t *talker) say(line string, ok bool) (err error) {
	if !ok {
		t.barrier, err = t.c.Heartbeat()
		return err
	}
	line = strings.TrimSpace(line)
	if line == "" {
		return nil
	}
	event, payload, _ := strings.Cut(line, " ")
	payload = strings.TrimSpace(payload)
	if payload == "" {
		payload = "{}"
	}
	if !json.Valid([]byte(payload)) {
		return t.print("?? %s is not JSON; a line is an event and its payload, such as: new_msg {\"text\":\"hi\"}", payload)
	}
	if _, err := t.c.Push(t.cfg.Topic, event, json.RawMessage(payload)); err != nil {
		return fmt.Errorf("%w: %w", ErrEnded, err)
	}
	return t.print("-> %s %s", event, payload)
}

// hear prints a message and tells whether it is the last one.
func (t *talker) hear(m *client.Message) (over bool, err error) {
	switch {
	case m.Binary != nil:
		return false, t.print("<- %d bytes in a binary frame: <% x>", len(m.Binary), m.Binary[:min(len(m.Binary), 64)])
	case m.Topic == "phoenix" && m.Ref == t.barrier && t.barrier != "":
		t.leaving, err = t.c.Leave(t.cfg.Topic)
		return false, err
	case m.Topic != t.cfg.Topic || m.JoinRef != "" && m.JoinRef != t.joinRef:
		return false, nil // of other heartbeats
	}
	if reply, ok := m.Reply(); ok {
		return t.hearReply(m.Ref, reply)
	}
	err = t.print("<- %s %s", m.Event, compact(m.Payload))
	if err == nil && (m.Event == "phx_close" || m.Event == "phx_error") {
		err = fmt.Errorf("%w: %s", ErrEnded, m.Event)
	}
	return err != nil, err
}

// hearReply prints the reply to a message of ours.
func (t *talker) hearReply(ref string, reply client.Reply) (over bool, err error) {
	switch {
	case ref == t.joinRef && reply.Status != "ok":
		return true, fmt.Errorf("%w: %s", ErrRefused, compact(reply.Response))
	case ref == t.joinRef:
		t.joined = true
		return false, t.print("<- joined %s %s", t.cfg.Topic, compact(reply.Response))
	case ref == t.leaving:
		return true, t.print("<- left")
	}
	return false, t.print("<- reply %s %s", reply.Status, compact(reply.Response))
}

func (t *talker) print(format string, args ...any) error {
	_, err := fmt.Fprintf(t.cfg.Out, format+"\n", args...)
	return err
}

func compact(text json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return string(text)
	}
	return b.String()
}
