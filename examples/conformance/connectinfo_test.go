package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

// expectInfo connects with o besides the kind of the clients and expects golden
// at key of what the connect callback knew. It returns the client, which has
// left again.
func expectInfo(t *testing.T, address string, o hosttest.Options, key, golden string) *hosttest.Client {
	t.Helper()
	kind := clientOptions()
	o.V1, o.LongPoll = kind.V1, kind.LongPoll
	c := hosttest.Dial(t, address, o)
	c.SendJoin("exact", "")
	c.Expect(reply("11", "1", "exact", "ok", `{}`))
	c.Expect(`[null,null,"exact","user_entered",{"user":null}]`)
	c.Expect(`["11",null,"exact","joined",{"status":"connected","user_id":"<any>","connect_info":` + infoWith(t, key, golden) + `}]`)
	c.Leave("exact")
	return c
}

// infoWith is the golden connect_info of which only one key is looked at.
func infoWith(t *testing.T, key, golden string) string {
	t.Helper()
	info := map[string]json.RawMessage{}
	for _, name := range []string{
		"x_headers", "sec_websocket_headers", "trace_context_headers", "user_agent", "auth_token", "peer_data", "uri", "static",
	} {
		info[name] = json.RawMessage(`"<any>"`)
	}
	info["transport"] = json.RawMessage(fmt.Sprintf("%q", transportName()))
	info[key] = json.RawMessage(golden)
	text, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func withHeaders(h http.Header) hosttest.Options { return hosttest.Options{Header: h} }

func Test5_6_7_10_HeadersReachConnect(t *testing.T) {
	tests := []struct {
		name        string
		header      http.Header
		key, golden string
	}{
		{"x", http.Header{"X-Application": {"Phoenix"}}, "x_headers", `{"x-application":"Phoenix"}`},
		{"x, several", http.Header{"X-B": {"2"}, "X-A": {"1", "one"}}, "x_headers", `{"x-a":"1, one","x-b":"2"}`},
		{"none", nil, "x_headers", `{}`},
		{"trace", http.Header{"Traceparent": {"00-0af7-b7ad-01"}, "Tracestate": {"a=1,b=2"}}, "trace_context_headers", `{"traceparent":"00-0af7-b7ad-01","tracestate":"a=1,b=2"}`},
		{"user agent", http.Header{"User-Agent": {`Lynx/2.8 ("é")`}}, "user_agent", `"Lynx/2.8 (\"é\")"`},
		{"others are kept back", http.Header{"Authorization": {"Bearer x"}, "Cookie": {"a=b"}}, "x_headers", `{}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			expectInfo(t, fixtureOf(t).socketURL("/socket", ""), withHeaders(tt.header), tt.key, tt.golden)
		})
	}
}

func Test6_WebSocketHeadersReachConnectAsTheyAre(t *testing.T) {
	webSocketOnly(t, "such headers")
	o := withHeaders(http.Header{"Sec-Websocket-Extensions": {"foo; bar=10, baz"}})
	o.Subprotocols = []string{"sip", "phoenix"}
	c := expectInfo(t, fixtureOf(t).socketURL("/socket", ""), o, "sec_websocket_headers",
		`{"sec-websocket-version":"13","sec-websocket-key":"<key>","sec-websocket-protocol":"sip, phoenix","sec-websocket-extensions":"foo; bar=10, baz"}`)
	if key, _ := c.Bound("key").(string); len(key) != 24 {
		t.Errorf("key %q is not 16 bytes in base64", key)
	}
}

func Test8_PeerReachesConnect(t *testing.T) {
	c := expectInfo(t, fixtureOf(t).socketURL("/socket", ""), hosttest.Options{}, "peer_data", `{"address":"127.0.0.1","port":"<port>"}`)
	if port := number(t, map[string]any{"port": c.Bound("port")}, "port"); port < 1 || port > 65535 {
		t.Errorf("port %d", port)
	}
}

func Test9_AddressReachesConnect(t *testing.T) {
	f := fixtureOf(t)
	_, port, err := net.SplitHostPort(f.PublicAddr())
	if err != nil {
		t.Fatal(err)
	}
	path := "/socket/websocket"
	if polls() {
		path = "/socket/longpoll"
	}
	c := expectInfo(t, f.socketURL("/socket", "user_id=9&a%20b=%26"), hosttest.Options{}, "uri",
		fmt.Sprintf(`{"scheme":"http","authority":{"host":"127.0.0.1","port":%s},"path":%q,"query":"<query>"}`, port, path))
	text, _ := c.Bound("query").(string)
	query, err := url.ParseQuery(text)
	if err != nil || query.Get("user_id") != "9" || query.Get("a b") != "&" || !query.Has("vsn") {
		t.Errorf("query %q %v", text, err)
	}
}

// A setting of the plugin is what a mount's static connect_info and a channel
// route's assigns are to Phoenix.
func Test12_87_SettingsReachEveryCallback(t *testing.T) {
	expectInfo(t, fixtureOf(t).socketURL("/socket", ""), hosttest.Options{}, "static", `"of the file"`)
	b := joined(t, "room:quiet-87")
	b.push("config", `{"key":"static"}`)
	b.reply("2", "ok", `{"value":"of the file"}`)
	b.push("config", `{"key":"nothing"}`)
	b.reply("3", "ok", `{"value":null}`)
	b.silence()
}

func TestHeadersThatAMountDoesNotNameAreKeptBack(t *testing.T) {
	for key, nothing := range map[string]string{"x_headers": `{}`, "user_agent": `null`, "peer_data": `null`, "uri": `null`, "auth_token": `null`} {
		expectInfo(t, fixtureOf(t).socketURL("/ws/admin", ""), withHeaders(http.Header{"X-A": {"1"}, "User-Agent": {"u"}}), key, nothing)
	}
}

// The variants of section 1.1: phoenix.js says base64url and sends the standard
// alphabet. "a?b>c~" has characters in which the two differ.
func TestAuthToken(t *testing.T) {
	webSocketOnly(t, "subprotocols")
	const protocol = "base64url.bearer.phx."
	tests := []struct {
		name, mount string
		offered     []string
		chosen      string
		token       string // as JSON
	}{
		{"standard alphabet", "/auth", []string{"phoenix", protocol + "YT9iPmN+"}, "phoenix", `"a?b>c~"`},
		{"URL alphabet", "/auth", []string{"phoenix", protocol + "YT9iPmN-"}, "phoenix", `"a?b>c~"`},
		{"token first", "/auth", []string{protocol + "MTIz", "phoenix"}, "phoenix", `"123"`},
		{"token only", "/auth", []string{protocol + "MTIz"}, "", `"123"`},
		{"no token", "/auth", []string{"phoenix"}, "phoenix", `null`},
		{"nothing", "/auth", nil, "", `null`},
		{"a mount that asks for none", "/socket", []string{"phoenix", protocol + "MTIz"}, "", `null`},
		{"nor looks whether it is one", "/socket", []string{protocol + "~"}, "", `null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := expectInfo(t, fixtureOf(t).socketURL(tt.mount, ""), hosttest.Options{Subprotocols: tt.offered}, "auth_token", tt.token)
			if c.Subprotocol != tt.chosen {
				t.Errorf("chose %q, want %q", c.Subprotocol, tt.chosen)
			}
		})
	}
}

// Phoenix crashes in the handshake, with 500.
func TestAuthTokenThatIsNoBase64IsRefused(t *testing.T) {
	webSocketOnly(t, "subprotocols")
	for _, token := range []string{"~", "a", "YT9iPmN+YT9iPmN-"} {
		o := hosttest.Options{Subprotocols: []string{"phoenix", "base64url.bearer.phx." + token}}
		r := hosttest.DialRefused(t, fixtureOf(t).socketURL("/auth", ""), o)
		if r.Status != 400 || !strings.Contains(r.Body, "base64") {
			t.Errorf("%s: refused with %d %q, want 400 and why", token, r.Status, r.Body)
		}
	}
}

func TestAuthTokenOfAPoll(t *testing.T) {
	if !polls() {
		t.Skip("a WebSocket has it as a subprotocol")
	}
	o := withHeaders(http.Header{"X-Phoenix-Authtoken": {"a?b>c~"}})
	expectInfo(t, fixtureOf(t).socketURL("/auth", ""), o, "auth_token", `"a?b>c~"`)
	expectInfo(t, fixtureOf(t).socketURL("/socket", ""), o, "auth_token", `null`)
}
