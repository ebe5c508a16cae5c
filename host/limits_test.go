package host_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
	"github.com/aviary-host/aviary/host/limit"
	"github.com/aviary-host/aviary/host/origin"
)

// hourly is a rate that gives a burst and then, as far as a test can tell,
// nothing.
func hourly(burst int) limit.Rate { return limit.Rate{Count: 1, Per: 1 << 41, Burst: burst} }

func startLimited(t *testing.T, limits *host.Limits) *server {
	t.Helper()
	return start(t, &script{in: steps{"echo": echo}}, host.Mount{Limits: limits, MaxChannels: 2})
}

// limited is the reply to a message that a limit refused.
func limited(joinRef, ref, topic, key string) string {
	return fmt.Sprintf(`[%s,%q,%q,"phx_reply",{"status":"error","response":{"reason":"rate_limited","limit":"<any>","key":%q,"retry_after_ms":"<any>"}}]`,
		joinRef, ref, topic, key)
}

func TestMessagesOverTheRateAreAnswered(t *testing.T) {
	s := startLimited(t, &host.Limits{Messages: hourly(2)})
	c := s.dial(t)
	c.Join("t", "") // joins do not count
	for i := range 2 {
		ref := c.Push("t", "echo", fmt.Sprint(i))
		c.Expect(reply("11", ref, "t", fmt.Sprint(i)))
	}
	ref := c.Push("t", "echo", "")
	c.Expect(limited(`"11"`, ref, "t", "mount.limits.messages"))
	// Heartbeats count: one that floods with them is no better (beryl case 113).
	c.Send(`[null,"b","phoenix","heartbeat",{}]`)
	c.Expect(limited("null", "b", "phoenix", "mount.limits.messages"))
	other := s.dial(t) // each socket has its own
	other.Join("t", "")
	ref = other.Push("t", "echo", "")
	other.Expect(reply("11", ref, "t", `{}`))
	if log := s.log.String(); strings.Count(log, "code=LIMIT") != 1 || !strings.Contains(log, "mount.limits.messages") {
		t.Errorf("the log is to name the limit once:\n%s", log)
	}
}

func TestJoinsOverTheRateAreAnswered(t *testing.T) {
	s := startLimited(t, &host.Limits{Joins: hourly(2)})
	c := s.dial(t)
	c.Join("t", "")
	c.Join("u", "")
	_, ref := c.SendJoin("t", "")
	c.Expect(limited(`"13"`, ref, "t", "mount.limits.joins"))
	ref = c.Push("u", "echo", "")
	c.Expect(reply("12", ref, "u", `{}`))
}

// TestChannelsHaveRatesOfTheirOwn: by topic, and leaving does not fill them
// (beryl case 67).
func TestChannelsHaveRatesOfTheirOwn(t *testing.T) {
	s := startLimited(t, &host.Limits{
		Channel: hourly(1),
		Topics:  []host.TopicRate{{Pattern: "free:*"}, {Pattern: "b*", Rate: hourly(2)}, {Pattern: "boat", Rate: hourly(9)}},
	})
	c := s.dial(t)
	join := c.Join("t", "")
	ref := c.Push("t", "echo", "")
	c.Expect(reply(join, ref, "t", `{}`))
	ref = c.Push("t", "echo", "")
	c.Expect(limited(`"`+join+`"`, ref, "t", "mount.limits.channel"))
	c.Leave("t") // which no limit holds up
	join = c.Join("t", "")
	ref = c.Push("t", "echo", "")
	c.Expect(limited(`"`+join+`"`, ref, "t", "mount.limits.channel"))

	join = c.Join("boat", "") // the first pattern that fits counts
	for range 2 {
		ref = c.Push("boat", "echo", "")
		c.Expect(reply(join, ref, "boat", `{}`))
	}
	ref = c.Push("boat", "echo", "")
	c.Expect(limited(`"`+join+`"`, ref, "boat", "mount.limits.topics"))
	c.Leave("boat")

	join = c.Join("free:1", "")
	for range 50 {
		ref = c.Push("free:1", "echo", "")
		c.Expect(reply(join, ref, "free:1", `{}`))
	}
}

// TestManyTopicsDoNotGrowTheBuckets: what a client used long ago is forgotten,
// what it owes is not, and there is an end to it.
func TestManyTopicsDoNotGrowTheBuckets(t *testing.T) {
	s := startLimited(t, &host.Limits{Channel: hourly(2)})
	c := s.dial(t)
	echoOnTopics(c, 1024)
	join := c.Join("one more", "")
	ref := c.Push("one more", "echo", "")
	c.Expect(fmt.Sprintf(`[%q,%q,"one more","phx_reply",{"status":"error","response":{"reason":"rate_limited","limit":"<any>","key":"mount.limits.channel"}}]`, join, ref))
	c.Join("t5", "")
	ref = c.Push("t5", "echo", "")
	c.Expect(reply("1036", ref, "t5", `{}`))
	if log := s.log.String(); !strings.Contains(log, "which=channel ") {
		t.Errorf("the log does not name the limit:\n%s", log)
	}

	s = startLimited(t, &host.Limits{Channel: hourly(2), LogOnly: []string{"channel"}})
	echoOnTopics(s.dial(t), 1030)
}

// echoOnTopics joins n topics, one after the other, with an event on each.
func echoOnTopics(c *hosttest.Client, n int) {
	for i := range n {
		topic := fmt.Sprint("t", i)
		join := c.Join(topic, "")
		ref := c.Push(topic, "echo", "")
		c.Expect(reply(join, ref, topic, `{}`))
		c.Leave(topic)
	}
}

// TestFramesOverTheRateCloseTheSocket: also those that nobody could read, and
// pings (beryl case 69).
func TestFramesOverTheRateCloseTheSocket(t *testing.T) {
	floods := map[string]func(*hosttest.Client){
		"messages": func(c *hosttest.Client) { c.SendAll(`[null,"1","x","y",{}]`, `[null,"2","x","y",{}]`) },
		"nonsense": func(c *hosttest.Client) { c.SendAll(`x`, `y`) },
		"pings":    func(c *hosttest.Client) { c.SendPing("a"); c.SendPing("b") },
	}
	for name, flood := range floods {
		t.Run(name, func(t *testing.T) {
			s := start(t, &script{}, host.Mount{Limits: &host.Limits{Frames: hourly(2)}, AnswerMalformed: true})
			c := s.dial(t)
			flood(c)
			if name == "pings" {
				c.ExpectPong("a")
				c.ExpectPong("b")
			} else {
				c.Receive()
				c.Receive()
			}
			c.Send(`[null,"3","x","y",{}]`)
			if reason := c.ExpectClose(1008); !strings.Contains(reason, "burst 2 frames (mount.limits.frames)") {
				t.Errorf("closed with %q, which does not name the limit", reason)
			}
		})
	}
}

// TestFragmentsCount: a message that never ends would cost nothing otherwise.
func TestFragmentsCount(t *testing.T) {
	s := start(t, &script{}, host.Mount{Limits: &host.Limits{Frames: hourly(2)}})
	c := s.dial(t)
	c.SendFragments(`[null,"1",`, `"x",`, `"y",{}]`)
	if reason := c.ExpectClose(1008); !strings.Contains(reason, "burst 2 frames (mount.limits.frames)") {
		t.Errorf("closed with %q, which does not name the limit", reason)
	}
}

func TestLogOnlyLimitsLetPass(t *testing.T) {
	s := startLimited(t, &host.Limits{
		Frames: hourly(1), Messages: hourly(1), Joins: hourly(1), Channel: hourly(1),
		Topics:  []host.TopicRate{{Pattern: "x", Rate: hourly(1)}},
		LogOnly: []string{"frames", "messages", "joins", "channel", "topics", "max_channels"},
	})
	c := s.dial(t)
	for _, topic := range []string{"t", "u", "x"} { // max_channels is 2
		join := c.Join(topic, "")
		for range 3 {
			ref := c.Push(topic, "echo", "")
			c.Expect(reply(join, ref, topic, `{}`))
		}
	}
	log := s.log.String()
	for _, which := range []string{"frames", "messages", "joins", "channel", "topics", "max_channels"} {
		if !strings.Contains(log, "which="+which+" ") {
			t.Errorf("the log does not name %s:\n%s", which, log)
		}
	}
	if strings.Contains(log, "enforced=true") {
		t.Errorf("the log says that a limit was enforced:\n%s", log)
	}
}

func TestLimitsThatMakeNoSense(t *testing.T) {
	for want, limits := range map[string]*host.Limits{
		"limits.topics: invalid topic pattern":  {Topics: []host.TopicRate{{Pattern: "a*b"}}},
		`limits.log_only: "nothing" is none of`: {LogOnly: []string{"nothing"}},
		"limits.frames: invalid rate":           {Frames: limit.Rate{Count: 1 << 40}},
	} {
		_, err := host.New(host.Config{Mounts: []host.Mount{{Path: "/socket", Limits: limits}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// from is a client whose address a proxy on this machine tells.
func from(address string) hosttest.Options {
	return hosttest.Options{Header: http.Header{"X-Forwarded-For": {address}}}
}

func startAddressed(t *testing.T, cfg host.Config) *server {
	t.Helper()
	cfg.Mounts = []host.Mount{{Path: "/socket", LongPoll: true}}
	return startConfig(t, &script{}, cfg)
}

func TestConnectionsOfAnAddress(t *testing.T) {
	s := startAddressed(t, host.Config{ConnectionsPerAddress: 2})
	const here, there = "203.0.113.7", "198.51.100.1"
	first := hosttest.Dial(t, s.url, from(here))
	first.ExpectSilence()
	hosttest.Dial(t, s.url, from(here)).ExpectSilence()
	r := hosttest.DialRefused(t, s.url, from(here))
	if r.Status != 429 || r.Body != "too many connections from 203.0.113.7: over 2 (http.connections_per_address)" {
		t.Errorf("refused with %d %q", r.Status, r.Body)
	}
	hosttest.DialRefused(t, s.url, from("::ffff:203.0.113.7"))
	hosttest.Dial(t, s.url, from(there)).ExpectSilence()
	for range 5 { // this machine is not counted
		s.dial(t).ExpectSilence()
	}
	first.SendClose(1000)
	// The place is given back behind the close frames, so soon but not at once.
	for s.Info().Sockets > 7 {
		runtime.Gosched()
	}
	hosttest.Dial(t, s.url, from(here)).ExpectSilence()
}

// TestNobodyForwardsHimselfOutOfTheLimits: behind a trusted proxy a client of a
// trusted network may write that it is this machine.
func TestNobodyForwardsHimselfOutOfTheLimits(t *testing.T) {
	s := startAddressed(t, host.Config{ConnectionsPerAddress: 1})
	hosttest.Dial(t, s.url, from("127.0.0.1")).ExpectSilence()
	if r := hosttest.DialRefused(t, s.url, from("127.0.0.1")); r.Status != 429 {
		t.Errorf("refused with %d %q", r.Status, r.Body)
	}
	s.dial(t).ExpectSilence()
}

func TestConnectionRateOfAnAddress(t *testing.T) {
	s := startAddressed(t, host.Config{ConnectionRate: hourly(2)})
	for range 2 {
		hosttest.Dial(t, s.url, from("2001:db8::1")).ExpectSilence()
	}
	r := hosttest.DialRefused(t, s.url, from("2001:db8::2")) // the same /64
	if r.Status != 429 || !strings.Contains(r.Body, "(http.connection_rate)") || r.Header.Get("Retry-After") == "" {
		t.Errorf("refused with %d %q %v", r.Status, r.Body, r.Header)
	}
	hosttest.Dial(t, s.url, from("2001:db8:0:1::1")).ExpectSilence()
	poll := from("2001:db8::3")
	poll.LongPoll = true
	if r := hosttest.DialRefused(t, s.url, poll); r.Status != 403 {
		t.Errorf("a poll is refused with %d", r.Status)
	}
}

func TestConnectionLimitsThatOnlyLog(t *testing.T) {
	s := startAddressed(t, host.Config{
		ConnectionsPerAddress: 1, ConnectionRate: hourly(1),
		LogOnly: []string{"connections_per_address", "connection_rate"},
	})
	for range 3 {
		hosttest.Dial(t, s.url, from("203.0.113.7")).ExpectSilence()
	}
	if log := s.log.String(); !strings.Contains(log, "which=connection_rate") || !strings.Contains(log, "which=connections_per_address") {
		t.Errorf("the log does not name both limits:\n%s", log)
	}
}

// TestForwardedAddresses: only trusted proxies are believed, and of what they
// say only what they have seen themselves.
func TestForwardedAddresses(t *testing.T) {
	seen := make(chan string, 1)
	s := startConfig(t, &script{connect: func(req *abi.Request, resp *abi.Response) error {
		seen <- string(req.Headers)
		return accept(req, resp)
	}}, host.Config{Mounts: []host.Mount{{Path: "/socket", Headers: []string{":client", ":scheme"}}}})
	for _, tt := range []struct{ forwarded, client string }{
		{"", "127.0.0.1"},
		{"203.0.113.7", "203.0.113.7"},
		{"6.6.6.6, 203.0.113.7", "203.0.113.7"}, // the first is what the client claims
		{"203.0.113.7, 127.0.0.2", "203.0.113.7"},
		{"[2001:db8::1]:443", "2001:db8::1"},
		{"203.0.113.7:1234", "203.0.113.7"},
		{"nonsense", "127.0.0.1"},
		{"203.0.113.7, nonsense", "127.0.0.1"},
	} {
		o := hosttest.Options{Header: http.Header{"X-Forwarded-Proto": {"https"}}}
		if tt.forwarded != "" {
			o.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		hosttest.Dial(t, s.url, o).Drop()
		if got, want := <-seen, fmt.Sprintf(`{":client":%q,":scheme":"https"}`, tt.client); got != want {
			t.Errorf("%s: got %s, want %s", tt.forwarded, got, want)
		}
	}
}

// TestOriginsAreCheckedByMount: cases 38 and 47 of reference/phoenix.md section
// 4.4; the others are those of host/origin.
func TestOriginsAreCheckedByMount(t *testing.T) {
	some, err := origin.Parse([]string{"https://*.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	s := startConfig(t, &script{}, host.Config{Mounts: []host.Mount{
		{Path: "/socket", LongPoll: true},
		{Path: "/some", LongPoll: true, Origins: some},
	}})
	some2 := strings.Replace(s.url, "/socket/", "/some/", 1)
	for _, tt := range []struct {
		url, origin string
		ok          bool
	}{
		{s.url, "http://127.0.0.1:3000", true}, // a page from another port of this host
		{s.url, "http://example.com", false},
		{s.url, "null", false},
		{some2, "https://chat.example.com", true},
		{some2, "http://127.0.0.1:3000", false},
	} {
		for _, polls := range []bool{false, true} {
			o := hosttest.Options{LongPoll: polls, Header: http.Header{"Origin": {tt.origin}}}
			if tt.ok {
				hosttest.Dial(t, tt.url, o).ExpectSilence()
				continue
			}
			if r := hosttest.DialRefused(t, tt.url, o); r.Status != 403 {
				t.Errorf("%s from %s: refused with %d %q, want 403", tt.url, tt.origin, r.Status, r.Body)
			}
		}
	}
	if log := s.log.String(); !strings.Contains(log, "code=ORIGIN") || !strings.Contains(log, "key=mount.origins") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// TestClientsCannotFillTheLog: what they do wrong is answered each time, and
// logged now and then.
func TestClientsCannotFillTheLog(t *testing.T) {
	s := start(t, &script{}, host.Mount{AnswerMalformed: true})
	c := s.dial(t)
	for range 200 {
		c.Send(`["1","1",7,"phx_join",{}]`)
		c.Expect(`[null,"1",7,"phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
		c.Send(`x`)
		c.Expect(`[null,null,"phoenix","malformed","<any>"]`)
	}
	for _, code := range []string{"UNMATCHED_TOPIC", "MALFORMED_MESSAGE"} {
		if n := strings.Count(s.log.String(), "code="+code); n < 50 || n > 150 {
			t.Errorf("%d lines of %s for 200 mistakes", n, code)
		}
	}
}
