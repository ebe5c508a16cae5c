package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestQuickRun builds the server and puts all scenarios through it: what is
// sent and what comes back must agree, which the run itself insists on too.
func TestQuickRun(t *testing.T) {
	dir := t.TempDir()
	server, floor, report := filepath.Join(dir, "server"), filepath.Join(dir, "floor"), filepath.Join(dir, "report.json")
	for path, source := range map[string]string{server: "../examples/bench", floor: "./floor"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", path, source)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	var table strings.Builder
	err := run(t.Context(), []string{"-server", server, "-floor", floor, "-handlers", "floor,native", "-quick", "-json", report}, &table)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var rep struct{ Rows []row }
	if err := json.Unmarshal(text, &rep); err != nil {
		t.Fatal(err)
	}
	if len(rep.Rows) != 2*len(scenarios(true)) {
		t.Errorf("%d rows", len(rep.Rows))
	}
	for _, r := range rep.Rows {
		m, each := r.Samples[0], int64(1)
		if r.Kind == kindFanout {
			each = int64(r.Conns)
		}
		if m.Messages == 0 || m.Received < m.Messages || m.Received != m.Sent*each {
			t.Errorf("%s: sent %d, received %d, %d of them in the window", r.Name, m.Sent, m.Received, m.Messages)
		}
		if m.ServerCPU <= 0 || m.ClientCPU <= 0 || m.ServerRSS <= 0 || m.P99 < m.P50 || m.P50 <= 0 {
			t.Errorf("%s: %+v", r.Name, m)
		}
	}
	t.Log("\n" + table.String())
}

func TestServerThatCannotServe(t *testing.T) {
	for _, path := range []string{"/nonexistent/server", "/bin/true", "/bin/false"} {
		if s, err := startServer(t.Context(), path, "native"); err == nil {
			t.Errorf("%s was taken for a server: %v", path, s.stop())
		}
	}
}

// short is a run against a fake server.
func short() timing {
	return timing{warmup: time.Millisecond, window: 50 * time.Millisecond, drain: 200 * time.Millisecond, settle: 50 * time.Millisecond}
}

// TestWrongEchoesFailTheRun: each fake server is right but for one thing, and
// from the fifth message on, when the fast comparison is at work.
func TestWrongEchoesFailTheRun(t *testing.T) {
	for _, tt := range []struct {
		name  string
		want  error
		spoil func(n int, reply string) []string
	}{
		{"nothing wrong", nil, func(_ int, reply string) []string { return []string{reply} }},
		{"another ref", errWrong, from(5, func(reply string) []string {
			return []string{strings.Replace(reply, `"00000`, `"99999`, 1)}
		})},
		{"another status", errWrong, from(5, func(reply string) []string {
			return []string{strings.Replace(reply, `"ok"`, `"error"`, 1)}
		})},
		{"another payload", errWrong, from(5, func(reply string) []string {
			return []string{strings.Replace(reply, "xx", "xy", 1)}
		})},
		{"every reply twice", errWrong, from(5, func(reply string) []string { return []string{reply, reply} })},
		{"no more replies", errMissing, from(5, func(string) []string { return nil })},
		{"the first reply is wrong", errWrong, from(0, func(string) []string { return []string{"[]"} })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, func(_ *fake, c *fakeConn, m []json.RawMessage) {
				reply := fmt.Sprintf(`[%s,%s,%s,"phx_reply",{"status":"ok","response":%s}]`, m[0], m[1], m[2], m[4])
				c.send(tt.spoil(c.next(), reply)...)
			})
			check(t, f, scenario{kindEcho, 2, 3}, tt.want)
		})
	}
}

func TestWrongDeliveriesFailTheRun(t *testing.T) {
	for _, tt := range []struct {
		name    string
		want    error
		deliver func(n, member int, text string) []string
	}{
		{"nothing wrong", nil, func(_, _ int, text string) []string { return []string{text} }},
		{"a member is left out", errMissing, func(n, member int, text string) []string {
			if n >= 5 && member == 1 {
				return nil
			}
			return []string{text}
		}},
		{"a member misses one", errWrong, func(n, member int, text string) []string {
			if n == 5 && member == 1 {
				return nil
			}
			return []string{text}
		}},
		{"a member gets one twice", errWrong, func(n, member int, text string) []string {
			if n == 5 && member == 1 {
				return []string{text, text}
			}
			return []string{text}
		}},
		{"a reply to the sender", errWrong, func(_, member int, text string) []string {
			if member == 0 {
				return []string{`["1","s","room:bench","phx_reply",{"status":"ok","response":{}}]`, text}
			}
			return []string{text}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, func(f *fake, c *fakeConn, m []json.RawMessage) {
				n := c.next()
				for i, member := range f.all() {
					member.send(tt.deliver(n, i, fmt.Sprintf(`[null,null,%s,"shout",%s]`, m[2], m[4]))...)
				}
			})
			check(t, f, scenario{kindFanout, 3, 2}, tt.want)
		})
	}
}

func from(first int, spoil func(string) []string) func(int, string) []string {
	return func(n int, reply string) []string {
		if n < first {
			return []string{reply}
		}
		return spoil(reply)
	}
}

func check(t *testing.T, f *fake, s scenario, want error) {
	t.Helper()
	m, err := measure(t.Context(), target{endpoint: f.endpoint}, s, short())
	if want == nil && (err != nil || m.Messages == 0 || m.ServerCPU != 0) || !errors.Is(err, want) {
		t.Errorf("%+v, %v; want error %v", m, err, want)
	}
}

func TestClosedConnectionFailsTheRun(t *testing.T) {
	f := newFake(t, func(_ *fake, c *fakeConn, _ []json.RawMessage) {
		c.write([]byte("\x88\x06\x03\xf3oops"))
	})
	check(t, f, scenario{kindEcho, 1, 1}, errClosed)
	f = newFake(t, func(_ *fake, c *fakeConn, _ []json.RawMessage) { c.end() })
	check(t, f, scenario{kindEcho, 1, 1}, errClosed)
}

// TestPingsAreAnswered: the fake answers the echo only once its ping was.
func TestPingsAreAnswered(t *testing.T) {
	f := newFake(t, func(_ *fake, c *fakeConn, m []json.RawMessage) {
		c.write([]byte("\x89\x02hi"))
		if op, payload, err := c.read(); err != nil || op != opPong || string(payload) != "hi" {
			t.Errorf("answer to a ping: %#x %q, %v", op, payload, err)
		}
		c.send(fmt.Sprintf(`[%s,%s,%s,"phx_reply",{"status":"ok","response":%s}]`, m[0], m[1], m[2], m[4]))
	})
	check(t, f, scenario{kindEcho, 2, 1}, nil)
}

// fake is a server that accepts every join and leaves the rest to a test.
type fake struct {
	endpoint
	event func(f *fake, c *fakeConn, m []json.RawMessage)
	wg    sync.WaitGroup

	mu    sync.Mutex
	conns []*fakeConn
}

type fakeConn struct {
	net.Conn
	in *bufio.Reader

	mu sync.Mutex
	n  int
}

func newFake(t *testing.T, event func(f *fake, c *fakeConn, m []json.RawMessage)) *fake {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{event: event}
	if f.endpoint, err = parseEndpoint("ws://" + ln.Addr().String() + "/socket"); err != nil {
		t.Fatal(err)
	}
	f.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() { f.serve(&fakeConn{Conn: nc, in: bufio.NewReader(nc)}) })
		}
	})
	t.Cleanup(func() {
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		f.wg.Wait()
	})
	return f
}

func (f *fake) all() []*fakeConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conns
}

// serve ends with the connection: a failed read or write is how that shows.
func (f *fake) serve(c *fakeConn) {
	defer c.end()
	req, err := http.ReadRequest(c.in)
	if err != nil {
		return
	}
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	c.write(fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:])))
	f.mu.Lock()
	f.conns = append(f.conns, c)
	f.mu.Unlock()
	for {
		_, text, err := c.read()
		var m []json.RawMessage
		if err != nil || json.Unmarshal(text, &m) != nil || len(m) != 5 {
			return
		}
		if string(m[3]) == `"phx_join"` {
			c.send(fmt.Sprintf(`[%s,%s,%s,"phx_reply",{"status":"ok","response":{}}]`, m[0], m[1], m[2]))
			continue
		}
		f.event(f, c, m)
	}
}

// next counts the messages of c from 0.
func (c *fakeConn) next() int {
	c.n++
	return c.n - 1
}

// end closes the connection, which may be closed already.
func (c *fakeConn) end() { _ = c.Close() }

func (c *fakeConn) read() (op byte, payload []byte, err error) {
	var head [6]byte
	if _, err := io.ReadFull(c.in, head[:2]); err != nil {
		return 0, nil, err
	}
	op = head[0] &^ finBit
	n := int(head[1] &^ maskBit)
	if n == 126 {
		if _, err := io.ReadFull(c.in, head[:2]); err != nil {
			return 0, nil, err
		}
		n = int(binary.BigEndian.Uint16(head[:2]))
	}
	key, payload := head[2:6], make([]byte, n)
	if _, err := io.ReadFull(c.in, key); err != nil {
		return 0, nil, err
	}
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return op, payload, nil
}

// send writes texts as frames, split in the middle of each.
func (c *fakeConn) send(texts ...string) {
	for _, text := range texts {
		b := []byte{finBit | opText, byte(len(text))}
		if len(text) > 125 {
			b = binary.BigEndian.AppendUint16([]byte{finBit | opText, 126}, uint16(len(text)))
		}
		c.write(append(b, text...))
	}
}

func (c *fakeConn) write(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	half := len(b) / 2
	if _, err := c.Write(b[:half]); err == nil {
		_, _ = c.Write(b[half:]) // the client has gone: the next read tells
	}
}
