package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host/hosttest"
)

// Cases 90 to 115 of the list, over raw requests. What has to do with HTTP
// itself is in polling_http_test.go.

func Test90_HandshakeJoinAndPoll(t *testing.T) {
	serializers(t, func(t *testing.T, vsn string) {
		p := poll(t, "/socket", vsn)
		p.send(`[J,"1","room:90","phx_join",{}]`)
		got := p.take(3)
		for i, want := range []string{
			`[J,"1","room:90","phx_reply",{"status":"ok","response":{}}]`,
			`[null,null,"room:90","user_entered",{"user":null}]`,
		} {
			if !sameJSON(t, got[i], p.golden(want)) {
				t.Errorf("message %d: %s, want %s", i+1, got[i], p.golden(want))
			}
		}
		for _, part := range []string{`"joined"`, `"status":"connected"`, `"user_id":null`} {
			if !strings.Contains(got[2], part) {
				t.Errorf("message 3: %s without %s", got[2], part)
			}
		}
		began := time.Now()
		a := p.get()
		if a.HTTPStatus != 200 || a.Status != 204 || a.Token != p.token || a.Messages == nil || len(a.Messages) > 0 {
			t.Errorf("nothing to say: HTTP %d %+v, want 200 with status 204, the token and no messages", a.HTTPStatus, a)
		}
		if waited := time.Since(began); waited < 600*time.Millisecond {
			t.Errorf("answered after %s, which is less than poll_window", waited)
		}
	})
}

func Test91_The101stJoinIsRefused(t *testing.T) {
	serializers(t, func(t *testing.T, vsn string) {
		p := poll(t, "/ws/admin", vsn) // whose window is longer than this test
		for n := 1; n <= 101; n++ {
			p.send(fmt.Sprintf(`[null,"%d","room:quiet-91-%d","phx_join",{}]`, n, n))
		}
		accepted := 0
		for _, got := range p.take(101) { // joins of several topics are answered in any order
			switch {
			case sameJSON(t, got, p.golden(`[null,"101","room:quiet-91-101","phx_reply",{"status":"error","response":{"reason":"too many channels joined"}}]`)):
			case strings.Contains(got, `"status":"ok"`):
				accepted++
			default:
				t.Errorf("got %s", got)
			}
		}
		if accepted != 100 {
			t.Errorf("%d joins were accepted, want 100", accepted)
		}
	})
}

func Test96_97_98_Events(t *testing.T) {
	serializers(t, func(t *testing.T, vsn string) {
		p := poll(t, "/socket", vsn)
		p.join("room:quiet-96")
		p.send(`[null,"2","room:quiet-96","new_msg",{"body":"hi!"}]`)
		p.expect(
			`[J,"2","room:quiet-96","phx_reply",{"status":"ok","response":{}}]`,
			`[J,null,"room:quiet-96","new_msg",{"body":"hi!","transport":":longpoll"}]`)
		p.send(`[null,"12300","room:private-room","new_msg",{"body":"nobody hears"}]`)
		p.expect(`[null,"12300","room:private-room","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
		p.silence()
	})
}

// binaryLine is a line of a batch: a client's push of bytes.
func binaryLine(joinRef, ref, topic, event, data string) string {
	head := string([]byte{0, byte(len(joinRef)), byte(len(ref)), byte(len(topic)), byte(len(event))})
	return base64.StdEncoding.EncodeToString([]byte(head + joinRef + ref + topic + event + data))
}

func Test99_Batches(t *testing.T) {
	for name, end := range map[string]string{"newlines": "\n", "carriage returns": "\r\n"} {
		t.Run(name, func(t *testing.T) {
			p := poll(t, "/socket", "2.0.0")
			p.join("room:quiet-99")
			lines := []string{
				`[J,"2","room:quiet-99","echo",{"body":"hi1"}]`,
				`[J,"3","room:quiet-99","echo",{"body":"hi2"}]`,
				`["stale","stale","room:quiet-99","echo",{"body":"stale"}]`,
				binaryLine("11", "4", "room:quiet-99", "kind", "\x01\x02\x03"),
				`[J,"5","room:quiet-99","kind",{}]`,
			}
			for _, last := range []string{"", end} { // an empty line crashes the session in Phoenix
				if a := p.batch(strings.Join(lines, end) + last); a.Status != 200 {
					t.Fatalf("POST: %+v", a)
				}
				p.expect(
					`[J,"2","room:quiet-99","phx_reply",{"status":"ok","response":{"body":"hi1"}}]`,
					`[J,"3","room:quiet-99","phx_reply",{"status":"ok","response":{"body":"hi2"}}]`,
					`[J,"4","room:quiet-99","phx_reply",{"status":"ok","response":{"kind":"binary"}}]`,
					`[J,"5","room:quiet-99","phx_reply",{"status":"ok","response":{"kind":"map"}}]`)
			}
			p.silence()
		})
	}
}

// The batch's content type is compared as it is, as in Phoenix: with anything
// else the body is one message, which two lines are not.
func Test99_OnlyTheExactContentTypeIsABatch(t *testing.T) {
	for _, contentType := range []string{"application/x-ndjson; charset=utf-8", "Application/X-NDJSON", "application/json", "text/plain"} {
		p := poll(t, "/socket", "2.0.0")
		const beat = `[null,"1","phoenix","heartbeat",{}]`
		if a := p.do(p.request("POST", contentType, beat)); a.Status != 200 {
			t.Errorf("%s: one message: %+v", contentType, a)
		}
		p.expect(`[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]`)
		if a := p.do(p.request("POST", contentType, beat+"\n"+beat)); a.HTTPStatus != 200 || a.Status != 408 {
			t.Errorf("%s: two messages: %+v", contentType, a)
		}
		p.gone()
	}
}

// A line that is neither an array nor base64 refuses the whole batch and leaves
// the session alone, where Phoenix answers 500 after having handled what is
// before it (docs/compatibility.md).
func Test99_BadBase64(t *testing.T) {
	p := poll(t, "/socket", "2.0.0")
	p.join("room:quiet-99-bad")
	for _, bad := range []string{"%%%", "AAA", "_-8=", `{"topic":"room:quiet-99-bad"}`} {
		a := p.batch(`[J,"2","room:quiet-99-bad","echo",{}]` + "\n" + bad + "\n" + `[J,"3","room:quiet-99-bad","echo",{}]`)
		if a.HTTPStatus != 400 || a.Status != 400 || a.Token != "" {
			t.Errorf("%q: HTTP %d %+v, want 400 and status 400", bad, a.HTTPStatus, a)
		}
	}
	p.silence()
}

func Test100_ASessionEndsWithoutGets(t *testing.T) {
	serializers(t, func(t *testing.T, vsn string) {
		topic := "pres:100-" + vsn
		watcher := watch(t, topic)
		p := poll(t, "/socket", vsn)
		p.send(`[J,"1","` + topic + `","phx_join",{"name":"guest"}]`)
		watcher.Expect(`[null,null,"` + topic + `","presence_diff",{"joins":{"guest":"<meta>"},"leaves":{}}]`)
		p.take(3)
		began := time.Now()
		for status := 200; status != 410; {
			status = p.post(`[null,"2","phoenix","heartbeat",{}]`)
			if status != 200 && status != 410 || time.Since(began) > hosttest.Timeout {
				t.Fatalf("POST: status %d after %s", status, time.Since(began))
			}
		}
		if lived := time.Since(began); lived < 800*time.Millisecond {
			t.Errorf("the session lived for %s without a GET, want one and a half of 600ms", lived)
		}
		watcher.Expect(`[null,null,"` + topic + `","presence_diff",{"joins":{},"leaves":{"guest":"<meta>"}}]`)
		p.gone()
	})
}

func Test101_AnUnresponsiveSocket(t *testing.T) {
	serializers(t, func(t *testing.T, vsn string) {
		p := poll(t, "/socket", vsn)
		p.join("room:quiet-101")
		if status := p.post(`[J,"2","room:quiet-101","sleep",{"ms":900}]`); status != 408 {
			t.Errorf("POST: status %d, want 408", status)
		}
		p.expect(`[J,"2","room:quiet-101","phx_reply",{"status":"ok","response":{}}]`)
		p.silence()
	})
}

func Test102_OnlyAHundredLines(t *testing.T) {
	p := poll(t, "/socket", "2.0.0")
	p.join("room:quiet-102")
	var lines, want []string
	for n := range 101 {
		lines = append(lines, fmt.Sprintf(`[J,"%d","room:quiet-102","echo",{"n":%d}]`, n, n))
		want = append(want, fmt.Sprintf(`[J,"%d","room:quiet-102","phx_reply",{"status":"ok","response":{"n":%d}}]`, n, n))
	}
	if a := p.batch(strings.Join(lines, "\n")); a.Status != 200 {
		t.Fatalf("POST: %+v", a)
	}
	p.expect(want[:100]...)
	p.silence()
}

func Test103_108_Refusals(t *testing.T) {
	tests := []struct{ name, value string }{
		{"reject", "true"}, {"ratelimit", "true"}, {"raise", "true"}, {"vsn", "123.1.1"}, {"vsn", ""}, {"vsn", "3.0.0"},
	}
	serializers(t, func(t *testing.T, vsn string) {
		for _, tt := range tests {
			p := newPolling(t, "/socket", vsn)
			p.query.Set(tt.name, tt.value)
			if a := p.get(); a.HTTPStatus != 200 || a.Status != 403 || a.Token != "" || a.Messages != nil {
				t.Errorf("%s=%s: HTTP %d %+v, want 200 and {\"status\":403}", tt.name, tt.value, a.HTTPStatus, a)
			}
		}
	})
}

func Test105_PhxErrorCarriesTheJoinRef(t *testing.T) {
	serializers(t, func(t *testing.T, vsn string) {
		p := poll(t, "/socket", vsn)
		p.join("room:quiet-105")
		p.send(`[J,"2","room:quiet-105","boom",{}]`)
		p.expect(`[J,J,"room:quiet-105","phx_error",{"reason":"channel_crash"}]`)
		p.silence()
	})
}

func Test106_StaleAndNullJoinRefsOfALeave(t *testing.T) {
	serializers(t, func(t *testing.T, vsn string) {
		p := poll(t, "/socket", vsn)
		p.join("room:quiet-106")
		p.send(`["stale","stale","room:quiet-106","phx_leave",{}]`)
		p.silence()
		p.send(`[null,"2","room:quiet-106","phx_leave",{}]`)
		p.expect(
			`[J,"2","room:quiet-106","phx_reply",{"status":"ok","response":{}}]`,
			`[J,J,"room:quiet-106","phx_close",{}]`)
		p.silence()
	})
}

func Test107_DisconnectBroadcast(t *testing.T) {
	serializers(t, func(t *testing.T, vsn string) {
		topic := "pres:107-" + vsn
		watcher := watch(t, topic)
		p := poll(t, "/socket", vsn, "user_id", "107-"+vsn)
		p.join("room:quiet-107")
		p.send(`[null,"2","` + topic + `","phx_join",{"name":"guest"}]`)
		watcher.Expect(`[null,null,"` + topic + `","presence_diff",{"joins":{"guest":"<meta>"},"leaves":{}}]`)
		p.take(3)
		broadcast(t, "user_sockets:107-"+vsn, "disconnect", `{}`)
		watcher.Expect(`[null,null,"` + topic + `","presence_diff",{"joins":{},"leaves":{"guest":"<meta>"}}]`)
		p.gone() // and no phx_close or phx_error before it
	})
}

func Test109_EmptyContentType(t *testing.T) {
	serializers(t, func(t *testing.T, vsn string) {
		p := poll(t, "/socket", vsn)
		for _, values := range [][]string{{""}, nil} {
			req := p.request("POST", "", p.text(`[null,"1","phoenix","heartbeat",{}]`))
			req.Header["Content-Type"] = values
			if a := p.do(req); a.HTTPStatus != 200 || a.Status != 200 {
				t.Errorf("content type %q: %+v", values, a)
			}
			p.expect(`[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]`)
		}
	})
}

func Test114_PathVariables(t *testing.T) {
	serializers(t, func(t *testing.T, vsn string) {
		p := poll(t, "/vars/fred", vsn, "user_id", "overridden")
		p.send(`[J,"1","room:114","phx_join",{}]`)
		if got := p.take(3)[2]; !strings.Contains(got, `"user_id":"fred"`) {
			t.Errorf("joined with %s", got)
		}
	})
}

func Test115_WhatIsSentLaterIsPolled(t *testing.T) {
	serializers(t, func(t *testing.T, vsn string) {
		p := poll(t, "/socket", vsn)
		p.join("room:quiet-115")
		p.send(`[null,"2","room:quiet-115","async",{"n":1}]`, `[null,null,"room:quiet-115","later",{"n":2}]`)
		p.expect(
			`[J,null,"room:quiet-115","later",{"n":2}]`,
			`[J,"2","room:quiet-115","phx_reply",{"status":"ok","response":{"n":1}}]`)
		p.silence()
	})
}

// What cannot be read ends the session after what was before it in the batch;
// the client learns of it as of a timeout, and then that the session is gone.
func TestPollingMalformed(t *testing.T) {
	for _, bad := range []string{`[`, `[]`, `["11","2","room:quiet-bad","echo"]`, `["11","2","room:quiet-bad","echo",{}]]`, "AAEC"} {
		t.Run(bad, func(t *testing.T) {
			p := poll(t, "/socket", "2.0.0")
			p.join("room:quiet-bad")
			a := p.batch(`[J,"2","room:quiet-bad","echo",{}]` + "\n" + bad + "\n" + `[J,"3","room:quiet-bad","echo",{}]`)
			if a.HTTPStatus != 200 || a.Status != 408 {
				t.Errorf("POST: HTTP %d %+v, want 200 and status 408", a.HTTPStatus, a)
			}
			p.expect(`[J,"2","room:quiet-bad","phx_reply",{"status":"ok","response":{}}]`)
			p.gone()
		})
	}
	for _, bad := range []string{``, `hello`, `[]`, `{"topic":"t"}`} {
		t.Run("V1 "+bad, func(t *testing.T) {
			p := poll(t, "/socket", "1.0.0")
			if a := p.do(p.request("POST", "application/json", bad)); a.Status != 408 {
				t.Errorf("POST: %+v, want status 408", a)
			}
			p.gone()
		})
	}
}

func TestPollingMalformedIsAnsweredWhereTheMountSaysSo(t *testing.T) {
	p := poll(t, "/lenient", "2.0.0")
	if a := p.batch("[]\n" + `[null,"1","phoenix","heartbeat",{}]`); a.Status != 200 {
		t.Fatalf("POST: %+v", a)
	}
	got := p.take(2)
	var frame [5]json.RawMessage
	if err := json.Unmarshal([]byte(got[0]), &frame); err != nil || string(frame[2]) != `"phoenix"` || string(frame[3]) != `"malformed"` {
		t.Errorf("got %s, want malformed on phoenix (%v)", got[0], err)
	}
	if !strings.Contains(got[1], "phx_reply") {
		t.Errorf("got %s, want the reply", got[1])
	}
}

func TestPollingMessageOverMaxFrame(t *testing.T) {
	p := poll(t, "/maxframe", "2.0.0")
	if a := p.batch(sized(1000) + "\n" + sized(1000)); a.Status != 200 {
		t.Fatalf("two messages of 1000 bytes: %+v", a)
	}
	p.expect(`[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]`, `[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	if a := p.batch(sized(1001)); a.Status != 408 {
		t.Errorf("a message of 1001 bytes: %+v, want status 408", a)
	}
	p.gone()
}

// Over queue_bytes, which is 1 MiB by default, a client that does not fetch is
// cut off; what it has missed is not followed by anything.
func TestPollingSlowClient(t *testing.T) {
	p := poll(t, "/ws/admin", "2.0.0")
	p.join("room:quiet-slow-poll")
	sender := connect(t)
	sender.Join("room:quiet-slow-poll-sender", "")
	before := p.f.Server().Info().SlowClients
	padding := strings.Repeat("x", 60_000)
	for range 20 {
		ref := sender.Push("room:quiet-slow-poll-sender", "ext", `{"topic":"room:quiet-slow-poll","x":"`+padding+`"}`)
		m := sender.Receive()
		if m.Ref != ref {
			t.Fatalf("got %s, want the reply to %s", m.Text, ref)
		}
	}
	if n := p.f.Server().Info().SlowClients; n != before+1 {
		t.Errorf("%d clients were cut off, want 1", n-before)
	}
	p.gone()
}

// Whoever polls twice at once gets each message once.
func TestPollingTwoGetsAtOnce(t *testing.T) {
	p := poll(t, "/socket", "2.0.0")
	p.join("room:quiet-two")
	answers := make(chan *hosttest.PollAnswer, 2)
	for range 2 {
		req := p.request("GET", "", "")
		go func() {
			a, err := hosttest.Poll(&p.http, req)
			if err != nil {
				a = &hosttest.PollAnswer{}
			}
			answers <- a
		}()
	}
	broadcast(t, "room:quiet-two", "news", `{}`)
	counts := map[int]int{}
	for range 2 {
		a := <-answers
		counts[a.Status]++
		if a.Status == 200 && len(a.Messages) != 1 {
			t.Errorf("got %q, want one message", a.Messages)
		}
	}
	if counts[200] != 1 || counts[204] != 1 {
		t.Errorf("statuses and how often: %v, want 200 and 204 once each", counts)
	}
	p.silence()
}
