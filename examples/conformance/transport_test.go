package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host/hosttest"
)

// request makes a plain HTTP request to the WebSocket endpoint.
func request(t *testing.T, method string) (status int, body string) {
	t.Helper()
	url := "http" + strings.TrimPrefix(fixtureOf(t).socketURL("/socket", ""), "ws")
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func Test27_PlainGet(t *testing.T) {
	status, body := request(t, http.MethodGet)
	if want := `'connection' header must contain 'upgrade', got []`; status != 400 || body != want {
		t.Errorf("got %d %q, want 400 %q", status, body, want)
	}
}

func TestOtherMethods(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		if status, body := request(t, method); status != 400 || body != "" {
			t.Errorf("%s: got %d %q, want 400 and an empty body", method, status, body)
		}
	}
}

// heartbeats and their replies, byte for byte.
const (
	heartbeatV1      = `{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1"}`
	heartbeatReplyV1 = `{"topic":"phoenix","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"1"}`
	heartbeatV2      = `[null,"1","phoenix","heartbeat",{}]`
	heartbeatReplyV2 = `[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]`
)

// The forms of a vsn (1.1): three numbers, of which only the last may vary, and
// without any the client speaks 1.0.0.
func Test21_Versions(t *testing.T) {
	url := func(query string) string { return "ws://" + fixtureOf(t).PublicAddr() + "/socket/websocket?" + query }
	o := hosttest.Options{LongPoll: polls()} // the vsn is what the test says, not what the kind of client would
	for _, query := range []string{
		"vsn=", "vsn=abc", "vsn=2", "vsn=2.0", "vsn=1.1.0", "vsn=2.1.0", "vsn=3.0.0", "vsn=2.0.0-rc.1", "vsn=123.1.1",
		"vsn=02.0.0", "vsn=2.0.0.0", "vsn=%202.0.0", "vsn[]=2.0.0", "vsn[a]=2.0.0",
		"vsn=2.0.0&vsn=abc",
	} {
		if r := hosttest.DialRefused(t, url(query), o); r.Status != 403 || !polls() && !strings.Contains(r.Body, "2.0.x") {
			t.Errorf("%s: refused with %d %q, want 403 and what is spoken", query, r.Status, r.Body)
		}
	}
	for _, query := range []string{"", "other=1", "vsn=1.0.0", "vsn=1.0.7"} {
		c := hosttest.Dial(t, url(query), o)
		c.SendText(heartbeatV1)
		c.ExpectText(heartbeatReplyV1)
	}
	for _, query := range []string{"vsn=2.0.0", "vsn=2.0.1", "vsn=2.0.17", "vsn=2%2E0.0", "vsn=abc&vsn=2.0.0"} {
		c := hosttest.Dial(t, url(query), o)
		c.SendText(heartbeatV2)
		c.ExpectText(heartbeatReplyV2)
	}
}

func Test17_18_RefusedConnect(t *testing.T) {
	f := fixtureOf(t)
	tests := []struct {
		query  string
		status int
		body   string
	}{
		{"reject=true", 403, ""},
		{"ratelimit=true", 429, "Too many requests"},
		{"raise=true", 500, ""},
	}
	for _, tt := range tests {
		if polls() { // every refusal looks the same to these (case 103)
			tt.status, tt.body = 403, ""
		}
		if r := hosttest.DialRefused(t, f.socketURL("/socket", tt.query), clientOptions()); r.Status != tt.status || r.Body != tt.body {
			t.Errorf("%s: refused with %d %q, want %d %q", tt.query, r.Status, r.Body, tt.status, tt.body)
		}
	}
}

func Test29_QueryParametersReachConnect(t *testing.T) {
	for query, user := range map[string]string{"user_id=29": `"29"`, "user_id=a%20%22b%22": `"a \"b\""`, "": `null`} {
		c := connectTo(t, "/socket", query)
		c.SendJoin("exact", "")
		c.Expect(`["11","1","exact","phx_reply",{"status":"ok","response":{}}]`)
		c.Expect(`[null,null,"exact","user_entered",{"user":null}]`)
		c.Expect(`["11",null,"exact","joined",{"status":"connected","user_id":` + user + `,"connect_info":"<any>"}]`)
		c.Leave("exact")
	}
}

// A mount ends in /websocket and /longpoll always; what stands before is free.
func Test31_TheEndOfThePathIsFixed(t *testing.T) {
	f := fixtureOf(t)
	for _, path := range []string{"/ws/admin", "/ws/admin/", "/ws/websocket", "/websocket", "/ws/admin/websocket/more", "/ws/admin/other"} {
		r := hosttest.DialRefused(t, "ws://"+f.PublicAddr()+path+"?vsn=2.0.0", hosttest.Options{})
		if r.Status != 404 {
			t.Errorf("%s: refused with %d, want 404", path, r.Status)
		}
	}
}

func Test32_VariablesOfThePathReachConnect(t *testing.T) {
	tests := []struct{ path, query, user string }{
		{"/vars/32", "", `"32"`},
		{"/vars/32", "user_id=other", `"32"`}, // the path wins
		{"/vars/a%20%C3%A9", "", `"a é"`},
		{"/vars/a%2Fb", "", `"a/b"`},
		{"/vars/%3Auser_id", "", `":user_id"`},
	}
	for _, tt := range tests {
		c := connectTo(t, tt.path, tt.query)
		c.SendJoin("exact", "")
		c.Expect(reply("11", "1", "exact", "ok", `{}`))
		c.Expect(`[null,null,"exact","user_entered","<any>"]`)
		c.Expect(`["11",null,"exact","joined",{"status":"connected","user_id":` + tt.user + `,"connect_info":"<any>"}]`)
		c.Leave("exact")
	}
	for _, path := range []string{"/vars", "/vars/", "/vars/a/b"} {
		if r := hosttest.DialRefused(t, fixtureOf(t).socketURL(path, ""), hosttest.Options{}); r.Status != 404 {
			t.Errorf("%s: refused with %d, want 404", path, r.Status)
		}
	}
}

func Test28_48_49_50_Subprotocols(t *testing.T) {
	tests := []struct {
		mount   string
		offered []string
		chosen  string
		refused bool
	}{
		{"/sub", []string{"sip"}, "sip", false},
		{"/sub", nil, "", false},
		{"/sub", []string{"mqtt"}, "", true},
		{"/sub", []string{"mqtt", "sip"}, "sip", false},
		{"/sub", []string{"wamp"}, "wamp", false},
		{"/sub", []string{"wamp", "sip"}, "sip", false}, // the order of the configuration counts
		{"/sub", []string{"SIP"}, "", true},
		{"/socket", []string{"sip"}, "", false}, // no such option: ignored, none echoed
		{"/socket", []string{"phoenix", "mqtt"}, "", false},
		{"/socket", nil, "", false},
	}
	for _, tt := range tests {
		url, o := fixtureOf(t).socketURL(tt.mount, ""), hosttest.Options{Subprotocols: tt.offered}
		if tt.refused {
			if r := hosttest.DialRefused(t, url, o); r.Status != 403 || r.Body != "" {
				t.Errorf("%s %q: refused with %d %q, want 403 and an empty body", tt.mount, tt.offered, r.Status, r.Body)
			}
			continue
		}
		c := hosttest.Dial(t, url, o)
		if c.Subprotocol != tt.chosen {
			t.Errorf("%s %q: chose %q, want %q", tt.mount, tt.offered, c.Subprotocol, tt.chosen)
		}
		c.ExpectSilence()
	}
}

func TestNothingIsSaidBeforeTheClientSpeaks(t *testing.T) {
	connect(t).ExpectSilence()
}

func Test30_33_PingIsEchoed(t *testing.T) {
	webSocketOnly(t, "pings")
	c := connect(t)
	for _, payload := range []string{"hello", "", strings.Repeat("x", 125), "\xff\x00"} {
		c.SendPing(payload)
		c.ExpectPong(payload)
	}
	c.ExpectSilence()
}

func TestInvalidUTF8ClosesWith1007(t *testing.T) {
	// The encoding is a matter of the WebSocket (RFC 6455 section 8.1): it comes
	// before what the text says.
	tests := []struct{ name, text string }{
		{"in a string", "[null,\"1\",\"phoenix\",\"heartbeat\",\"\xff\"]"},
		{"in a ref", "[null,\"\xff\",\"phoenix\",\"heartbeat\",{}]"},
		{"in a key", "[null,\"1\",\"phoenix\",\"heartbeat\",{\"\xff\":1}]"},
		{"in an extra element", "[null,\"1\",\"phoenix\",\"heartbeat\",{},\"\xff\"]"},
		{"surrogate", "[null,\"1\",\"\xed\xa0\x80\",\"e\",{}]"},
		{"cut off at the end", "[null,\"1\",\"phoenix\",\"heartbeat\",\"\xc3\"]"},
		{"after the frame", "[null,\"1\",\"phoenix\",\"heartbeat\",{}]\xff"},
		{"no JSON", "hello \xff"},
		{"only half a character", "\xc3"},
		{"overlong", "\xc0\x80"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t)
			c.SendText(tt.text)
			c.ExpectClose(1007)
		})
	}
}

func TestFragmentsAreReassembled(t *testing.T) {
	webSocketOnly(t, "fragments")
	c := connect(t)
	c.Join("room:quiet-fragments", "")
	head, tail := `["11","2","room:qu`, `iet-fragments","echo",{"a":"caf`+"\xc3"
	end := "\xa9" + `"}]`
	if clientOptions().V1 {
		head, tail = `{"join_ref":"11","ref":"2","topic":"room:qu`, `iet-fragments","event":"echo","payload":{"a":"caf`+"\xc3"
		end = "\xa9" + `"}}`
	}
	c.SendFragments(head, ``, tail, end)
	c.Expect(`["11","2","room:quiet-fragments","phx_reply",{"status":"ok","response":{"a":"café"}}]`)
	c.ExpectSilence()
}

// sized returns a heartbeat of n bytes.
func sized(n int) string {
	text := heartbeatV2
	if clientOptions().V1 {
		text = heartbeatV1
	}
	last := len(text) - 1
	return text[:last] + strings.Repeat(" ", n-len(text)) + text[last:]
}

func TestOversizeClosesWith1009(t *testing.T) {
	t.Parallel() // the server waits for an answer to its close frame: see below
	c := connectTo(t, "/maxframe", "")
	c.SendText(sized(1000))
	c.Expect(heartbeatReplyV2)
	c.SendText(sized(1001))
	c.ExpectClose(1009)
}

func TestOversizeFragmentsCloseWith1009(t *testing.T) {
	webSocketOnly(t, "fragments")
	t.Parallel()
	fragments := connectTo(t, "/maxframe", "")
	fragments.SendFragments(sized(900)[:600], sized(1200)[:600])

	// The rest of a frame that was refused is no frame, though its bytes look like
	// one: 88 88 ... is a close frame wherever one begins to read. A server that
	// takes it for the client's answer hangs up on unread data, which resets the
	// connection before the client has seen why.
	raw := connectTo(t, "/maxframe", "")
	header := []byte{0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0} // text of 1 MiB, mask 0
	raw.SendRaw(append(header, bytes.Repeat([]byte{0x88}, 1<<20)...))

	fragments.ExpectClose(1009)
	raw.ExpectClose(1009)
}

func TestBrokenFramesCloseWith1002(t *testing.T) {
	webSocketOnly(t, "frames")
	t.Parallel()
	// RFC 6455 sections 5.1, 5.2, 5.4 and 5.5. The mask is 0.
	tests := []struct{ name, frames string }{
		{"not masked", "\x81\x05hello"},
		{"reserved bit", "\xc1\x80\x00\x00\x00\x00"},
		{"reserved opcode", "\x83\x80\x00\x00\x00\x00"},
		{"reserved control opcode", "\x8b\x80\x00\x00\x00\x00"},
		{"fragmented ping", "\x09\x80\x00\x00\x00\x00"},
		{"ping of 126 bytes", "\x89\xfe\x00\x7e\x00\x00\x00\x00" + strings.Repeat("x", 126)},
		{"continuation of nothing", "\x80\x80\x00\x00\x00\x00"},
		{"text within a text", "\x01\x81\x00\x00\x00\x00[\x81\x81\x00\x00\x00\x00["},
	}
	clients := make([]*hosttest.Client, len(tests))
	for i, tt := range tests {
		clients[i] = connect(t)
		clients[i].ExpectSilence()
		clients[i].SendRaw([]byte(tt.frames))
	}
	// Behind such a frame the server cannot tell the answer to its close frame
	// from noise, so it waits for the client as long as it waits for any: all
	// clients wait together.
	for i, tt := range tests {
		t.Log(tt.name)
		clients[i].ExpectClose(1002)
	}
}

func TestPingBetweenFragments(t *testing.T) {
	webSocketOnly(t, "fragments")
	c := connect(t)
	head, tail := heartbeatV2[:12], heartbeatV2[12:]
	if clientOptions().V1 {
		head, tail = heartbeatV1[:12], heartbeatV1[12:]
	}
	frame := func(first byte, payload string) string {
		return string([]byte{first, 0x80 | byte(len(payload)), 0, 0, 0, 0}) + payload
	}
	c.SendRaw([]byte(frame(0x01, head) + frame(0x89, "hi") + frame(0x80, tail)))
	c.ExpectPong("hi")
	c.Expect(heartbeatReplyV2)
}

func TestClientClose(t *testing.T) {
	webSocketOnly(t, "close frames")
	for _, code := range []int{1000, 1001, 3000, 4000} {
		connect(t).SendClose(code)
	}
}

func TestLargeFrames(t *testing.T) {
	c := connect(t)
	c.Join("room:quiet-large", "")
	for _, n := range []int{125, 126, 127, 4000, 4096, 5000, 65000} {
		payload := `{"x":"` + strings.Repeat("y", n-100) + `"}`
		if n < 200 {
			payload = `{"x":"` + strings.Repeat("y", n) + `"}`
		}
		ref := c.Push("room:quiet-large", "echo", payload)
		c.Expect(reply("11", ref, "room:quiet-large", "ok", payload))
	}
	c.ExpectSilence()
}

func Test22_IdleClientIsClosed(t *testing.T) {
	webSocketOnly(t, "idle timeout: there a poll has to come")
	c := connectTo(t, "/short", "")
	c.ExpectSilence()
	began := time.Now()
	c.ExpectClose(1002) // as Bandit does; not 1000, after which some clients stay away (1.1)
	if idle := time.Since(began); idle < 250*time.Millisecond || idle > 5*time.Second {
		t.Errorf("closed after %s, want about 300ms", idle)
	}
}

// Any frame resets the idle timeout, a ping included. The waiting is what is
// tested here, so this test waits.
func Test22_PingsKeepAnIdleClient(t *testing.T) {
	webSocketOnly(t, "pings")
	c := connectTo(t, "/short", "")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 6 {
		<-tick.C
		c.SendPing("still here")
		c.ExpectPong("still here")
	}
	c.ExpectSilence()
}
