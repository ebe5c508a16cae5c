package load

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckReply(t *testing.T) {
	body := echoBody()
	for _, tt := range []struct {
		name, text string
		good       bool
	}{
		{"as Aviary writes it", `["1","00000007","room:1","phx_reply",{"status":"ok","response":` + body + `}]`, true},
		{"as Phoenix writes it", `["1","00000007","room:1","phx_reply",{"response":` + body + `,"status":"ok"}]`, true},
		{"with spaces", `[ "1" , "00000007","room:1","phx_reply", {"status":"ok","response":` + body + `}]`, true},
		{"another ref", `["1","00000008","room:1","phx_reply",{"status":"ok","response":` + body + `}]`, false},
		{"a number as ref", `["1",7,"room:1","phx_reply",{"status":"ok","response":` + body + `}]`, false},
		{"status error", `["1","00000007","room:1","phx_reply",{"status":"error","response":` + body + `}]`, false},
		{"another topic", `["1","00000007","room:2","phx_reply",{"status":"ok","response":` + body + `}]`, false},
		{"another event", `["1","00000007","room:1","push",{"status":"ok","response":` + body + `}]`, false},
		{"another payload", `["1","00000007","room:1","phx_reply",{"status":"ok","response":{}}]`, false},
		{"no object", `["1","00000007","room:1","phx_reply",null]`, false},
		{"four elements", `["1","00000007","room:1","phx_reply"]`, false},
		{"no JSON", `["1"`, false},
	} {
		err := checkReply([]byte(tt.text), "room:1", "00000007", body)
		if tt.good && err != nil || !tt.good && !errors.Is(err, errWrong) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestCheckShout(t *testing.T) {
	n := formatNumber(7)
	for _, tt := range []struct {
		name, text string
		good       bool
	}{
		{"the next one", `[null,null,"room:1","shout",` + shoutBody(n) + `]`, true},
		{"another one", `[null,null,"room:1","shout",` + shoutBody(formatNumber(8)) + `]`, false},
		{"a reply", `["1","s","room:1","phx_reply",{"status":"ok","response":{}}]`, false},
		{"another topic", `[null,null,"room:2","shout",` + shoutBody(n) + `]`, false},
	} {
		err := checkShout([]byte(tt.text), "room:1", n)
		if tt.good && err != nil || !tt.good && !errors.Is(err, errWrong) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestPatternKnowsOnlyItsMessage(t *testing.T) {
	text := func(ref string) string {
		return `["1","` + ref + `","room:1","phx_reply",{"status":"ok","response":{}}]`
	}
	var p pattern
	if p.is([]byte(text("00000001")), formatNumber(1)) {
		t.Error("recognised before anything was learnt")
	}
	p.learn([]byte(text("00000001")), formatNumber(1))
	for _, tt := range []struct {
		text string
		want bool
	}{
		{text("00000002"), true},
		{text("00000003"), false},
		{strings.Replace(text("00000002"), "ok", "no", 1), false},
		{strings.Replace(text("00000002"), "room:1", "room:2", 1), false},
		{text("00000002") + " ", false},
		{text("00000002")[1:], false},
		{"", false},
	} {
		if got := p.is([]byte(tt.text), formatNumber(2)); got != tt.want {
			t.Errorf("%s: %v", tt.text, got)
		}
	}
}

func TestPatternLearnsNothingAmbiguous(t *testing.T) {
	var p pattern
	p.learn([]byte(`["00000001","00000001"]`), formatNumber(1))
	p.learn([]byte(`["1"]`), formatNumber(1))
	if len(p.before) != 0 {
		t.Errorf("learnt %q", p.before)
	}
}

func TestHandshake(t *testing.T) {
	const ok = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nsec-websocket-accept:  KEY\r\n\r\n"
	for _, tt := range []struct {
		name, in string
		n        int
		fails    bool
	}{
		{"whole", ok, len(ok), false},
		{"with a frame behind it", ok + "\x81\x02hi", len(ok), false},
		{"split", ok[:len(ok)-1], 0, false},
		{"refused", "HTTP/1.1 403 Forbidden\r\n\r\n", 0, true},
		{"another key", strings.Replace(ok, "KEY", "YEK", 1), 0, true},
		{"endless", strings.Repeat("x", 20<<10), 0, true},
	} {
		n, err := checkHandshake([]byte(tt.in), "KEY")
		if n != tt.n || tt.fails != errors.Is(err, errHandshake) {
			t.Errorf("%s: %d, %v", tt.name, n, err)
		}
	}
}

func TestParseEndpoint(t *testing.T) {
	e, err := parseEndpoint("ws://127.0.0.1:4000/socket/?token=a%20b", nil)
	if err != nil {
		t.Fatal(err)
	}
	if e.addr.String() != "127.0.0.1:4000" || e.host != "127.0.0.1:4000" || e.path != "/socket/websocket?token=a+b&vsn=2.0.0" {
		t.Errorf("%+v", e)
	}
	for _, bad := range []string{"127.0.0.1:4000", "wss://127.0.0.1/socket", "ws:///socket", "ws://127.0.0.1:http5/"} {
		if _, err := parseEndpoint(bad, nil); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
