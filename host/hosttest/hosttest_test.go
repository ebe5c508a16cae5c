package hosttest

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve accepts one connection, upgrades it and hands it to script. It returns
// the URL.
func serve(t *testing.T, script func(conn net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }() // the client may be gone
		if _, err := ws.Upgrade(conn); err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		script(conn)
	}()
	t.Cleanup(func() {
		_ = l.Close() // wakes Accept
		<-done
	})
	return "ws://" + l.Addr().String() + "/"
}

// say returns a script that sends texts and waits for the client to go.
func say(texts ...string) func(net.Conn) {
	return func(conn net.Conn) {
		for _, text := range texts {
			ws.MustWriteFrame(conn, ws.NewTextFrame([]byte(text)))
		}
		_, _ = io.Copy(io.Discard, conn)
	}
}

// readFrame reads a frame of the client.
func readFrame(t *testing.T, conn net.Conn) ws.Frame {
	h, err := ws.ReadHeader(conn)
	if err != nil {
		t.Errorf("reading from the client: %v", err)
		return ws.Frame{}
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(conn, payload); err != nil {
		t.Errorf("reading from the client: %v", err)
	}
	ws.Cipher(payload, h.Mask, 0)
	return ws.Frame{Header: h, Payload: payload}
}

// failing is a testing.TB that keeps the message of Fatalf.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Helper()        {}
func (f *failing) Cleanup(func()) {}
func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure runs a test against the server at url and returns how it failed, ""
// if it passed.
func failure(url string, test func(c *Client)) string {
	f := &failing{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := Dial(f, url, Options{})
		defer c.Drop()
		test(c)
	}()
	<-done
	return f.message
}

func TestExpectComparesJSONValues(t *testing.T) {
	const got = `["11","1","room:a","phx_reply",{"status":"ok","response":{"n":1.50,"big":12345678901234567890,"list":[1,null]}}]`
	tests := []struct {
		name, golden string
		problem      string // words of the failure, "" for none
	}{
		{"same in another spelling", `[ "11","1","room:a","phx_reply",{"response":{"list":[1,null],"big":12345678901234567890,"n":15e-1},"status":"ok"}]`, ""},
		{"wildcard", `["11","<any>","room:a","phx_reply","<any>"]`, ""},
		{"named", `["11","<ref>","room:a","phx_reply",{"status":"<status>","response":"<any>"}]`, ""},
		{"named twice, two values", `["<x>","<x>","room:a","phx_reply","<any>"]`, `<x> was "11" before and is "1" now`},
		{"number and string", `[11,"1","room:a","phx_reply","<any>"]`, `frame[0]: got "11", want 11`},
		{"big number", `["11","1","room:a","phx_reply",{"status":"ok","response":{"n":1.5,"big":12345678901234567891,"list":[1,null]}}]`, "frame[4].response.big"},
		{"missing key", `["11","1","room:a","phx_reply",{"status":"ok","response":{"n":1.5,"big":"<any>","list":"<any>","x":1}}]`, `key "x" is missing`},
		{"extra key", `["11","1","room:a","phx_reply",{"status":"ok"}]`, `key "response" was not expected`},
		{"length of a list", `["11","1","room:a","phx_reply",{"status":"ok","response":{"n":1.5,"big":"<any>","list":[1]}}]`, "response.list"},
		{"null", `["11",null,"room:a","phx_reply","<any>"]`, `frame[1]: got "1", want null`},
		{"golden is no JSON", `["11",`, "golden frame"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := failure(serve(t, say(got)), func(c *Client) { c.Expect(tt.golden) })
			if tt.problem == "" && msg != "" {
				t.Errorf("failed: %s", msg)
			}
			if !strings.Contains(msg, tt.problem) {
				t.Errorf("failed with %q, want %q in it", msg, tt.problem)
			}
		})
	}
}

func TestFailurePrintsTheWholeDialogue(t *testing.T) {
	url := serve(t, say(`[null,"1","a","phx_reply",{}]`, `[null,"2","a","phx_reply",{}]`))
	msg := failure(url, func(c *Client) {
		c.Send(`[null,"1","a","e",{}]`)
		c.Expect(`[null,"1","a","phx_reply",{}]`)
		c.Expect(`[null,"3","a","phx_reply",{}]`)
	})
	for _, want := range []string{`-> [null,"1","a","e",{}]`, `<- [null,"1","a","phx_reply",{}]`, `<- [null,"2","a","phx_reply",{}]`} {
		if !strings.Contains(msg, want) {
			t.Errorf("%q lacks %q", msg, want)
		}
	}
}

func TestExpectSilenceFailsWhenSomethingComesFirst(t *testing.T) {
	heartbeat := `[null,"beat-1","phoenix","phx_reply",{"status":"ok","response":{}}]`
	if msg := failure(serve(t, say(heartbeat)), (*Client).ExpectSilence); msg != "" {
		t.Errorf("silent server: %s", msg)
	}
	if msg := failure(serve(t, say(`[null,null,"a","b",{}]`, heartbeat)), (*Client).ExpectSilence); msg == "" {
		t.Error("a broadcast before the heartbeat's reply went unnoticed")
	}
}

func TestExpectAnyOrder(t *testing.T) {
	a, b := `[null,null,"t","a",{"x":1}]`, `[null,null,"t","b",{"x":2}]`
	if msg := failure(serve(t, say(b, a)), func(c *Client) { c.ExpectAnyOrder(a, b) }); msg != "" {
		t.Error(msg)
	}
	if msg := failure(serve(t, say(b, b)), func(c *Client) { c.ExpectAnyOrder(a, b) }); msg == "" {
		t.Error("b twice passed for a and b")
	}
	// A frame that does not fit leaves no binding behind.
	if msg := failure(serve(t, say(b, a)), func(c *Client) {
		c.ExpectAnyOrder(`[null,null,"t","a",{"x":"<v>"}]`, b)
		if c.Bound("v").(interface{ String() string }).String() != "1" {
			c.fatalf("bound %v", c.Bound("v"))
		}
	}); msg != "" {
		t.Error(msg)
	}
}

func TestExpectClose(t *testing.T) {
	closing := func(end bool) func(net.Conn) {
		return func(conn net.Conn) {
			ws.MustWriteFrame(conn, ws.NewCloseFrame(ws.NewCloseFrameBody(1001, "bye")))
			if end {
				_, _ = ws.ReadHeader(conn)
				return
			}
			say(`[]`)(conn)
		}
	}
	if msg := failure(serve(t, closing(true)), func(c *Client) { c.ExpectClose(1012, 1001) }); msg != "" {
		t.Error(msg)
	}
	if msg := failure(serve(t, closing(true)), func(c *Client) { c.ExpectClose(1000) }); !strings.Contains(msg, `closed with 1001 "bye"`) {
		t.Errorf("1001 passed for 1000: %q", msg)
	}
	if msg := failure(serve(t, closing(false)), func(c *Client) { c.ExpectClose(1001) }); !strings.Contains(msg, "after the close frame") {
		t.Errorf("a frame after the close frame went unnoticed: %q", msg)
	}
	if msg := failure(serve(t, func(net.Conn) {}), func(c *Client) { c.ExpectClose(1001) }); !strings.Contains(msg, "without a close frame") {
		t.Errorf("an end without a close frame passed: %q", msg)
	}
}

func TestRefsFollowTheConvention(t *testing.T) {
	url := serve(t, func(conn net.Conn) {
		for _, want := range []string{
			`[null,"1","a","e",{}]`,
			`["11","2","a","phx_join",{"x":1}]`,
			`["12","3","b","phx_join",{}]`,
			`["11","4","a","e",[1]]`,
		} {
			f := readFrame(t, conn)
			if string(f.Payload) != want {
				t.Errorf("sent %s, want %s", f.Payload, want)
			}
		}
		say("[]")(conn)
	})
	c := Dial(t, url, Options{})
	c.Push("a", "e", "")
	c.SendJoin("a", `{"x":1}`)
	c.SendJoin("b", "")
	c.Push("a", "e", "[1]")
	c.text("the end")
	c.Drop()
}

// What is said byte for byte is not translated, also by a client of serializer
// 1.0.0.
func TestTextAsItIs(t *testing.T) {
	const heartbeat = `[null,"1","phoenix","heartbeat",{}]`
	url := serve(t, func(conn net.Conn) {
		if f := readFrame(t, conn); string(f.Payload) != heartbeat {
			t.Errorf("sent %s", f.Payload)
		}
		say(`{"topic":"a"}`, `{"topic": "a"}`)(conn)
	})
	msg := failure(url+"?", func(c *Client) {
		c.v1 = true
		c.SendText(heartbeat)
		c.ExpectText(`{"topic":"a"}`)
		c.ExpectText(`{"topic":"a"}`)
	})
	if !strings.Contains(msg, "want the bytes {\"topic\":\"a\"}\ngot            {\"topic\": \"a\"}") {
		t.Errorf("a space more went unnoticed: %q", msg)
	}
}

func TestFragmentsAndPings(t *testing.T) {
	url := serve(t, func(conn net.Conn) {
		ws.MustWriteFrame(conn, ws.NewFrame(ws.OpText, false, []byte(`[null,null,`)))
		ws.MustWriteFrame(conn, ws.NewPingFrame([]byte("x")))
		ws.MustWriteFrame(conn, ws.NewFrame(ws.OpContinuation, true, []byte(`"t","e",{}]`)))
		f := readFrame(t, conn)
		if f.Header.OpCode != ws.OpPong || string(f.Payload) != "x" {
			t.Errorf("ping was answered with opcode %d %q", f.Header.OpCode, f.Payload)
		}
		say()(conn)
	})
	c := Dial(t, url, Options{})
	c.Expect(`[null,null,"t","e",{}]`)
	c.Drop()
}

func TestDialRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // wakes Accept
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }() // the client may be gone
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\nslow")
	}()
	r := DialRefused(t, "ws://"+l.Addr().String()+"/", Options{})
	if r.Status != 429 || r.Body != "slow" {
		t.Errorf("got %d %q", r.Status, r.Body)
	}
}
