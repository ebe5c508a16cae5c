package host_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
)

// notebook is a store in memory that can fail.
type notebook struct {
	mu    sync.Mutex
	kept  []host.Suspension
	fails error
}

func (n *notebook) Load() ([]host.Suspension, error) { return n.kept, n.fails }

func (n *notebook) Save(all []host.Suspension) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fails == nil {
		n.kept = slices.Clone(all)
	}
	return n.fails
}

func (n *notebook) names() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var names []string
	for _, sp := range n.kept {
		names = append(names, sp.Tenant)
	}
	return strings.Join(names, " ")
}

const suspendedBody = `"error":{"code":"TENANT_SUSPENDED","message":"nobody is let in for now"}}` + "\n"

// wantSuspended tries to come in, by both transports.
func wantSuspended(t *testing.T, s *server, host string) {
	t.Helper()
	r := hosttest.DialRefused(t, s.url, hosttest.Options{Host: host})
	if r.Status != 503 || r.Body != "{"+suspendedBody || r.Header.Get("Retry-After") != "30" {
		t.Errorf("refused with %d %q %v", r.Status, r.Body, r.Header)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(strings.Replace(s.url, "ws:", "http:", 1), "/websocket", "/longpoll", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	// phoenix.js tries again after the status 500 in a body, and throws without any.
	if body := readAll(t, resp); resp.StatusCode != 503 || body != `{"status":500,`+suspendedBody || resp.Header.Get("Retry-After") != "30" {
		t.Errorf("a client that polls is refused with %d %q %v", resp.StatusCode, body, resp.Header)
	}
}

// wantCallsRefused calls for acme, which is suspended.
func wantCallsRefused(t *testing.T, s *server) {
	t.Helper()
	tenant := s.tenant(t, "acme")
	for name, err := range map[string]error{
		"broadcast":  tenant.Broadcast("t", "e", nil),
		"push":       tenant.Push("x", "t", "e", nil),
		"send_info":  tenant.SendInfo("x", "t", "e", nil),
		"disconnect": tenant.Disconnect("users:ada"),
	} {
		if !errors.Is(err, host.ErrSuspended) {
			t.Errorf("%s: %v", name, err)
		}
		body := `{"tenant":"acme","topic":"t","event":"e","socket_id":"x","id_topic":"t"}`
		if status, answer := call(t, "POST", s.internal+"/api/v1/"+name, body, ""); status != http.StatusConflict || !strings.Contains(answer, `"TENANT_SUSPENDED"`) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

func TestSuspendAndResume(t *testing.T) {
	ended := make(chan string, 10)
	h := intruder()
	h.terminate = func(req *abi.Request, _ *abi.Response) error {
		ended <- abi.Reason(req.Reason).String()
		return nil
	}
	cfg, book := tenants(host.TenantLimits{}), &notebook{}
	cfg.Suspensions = book
	s := startConfig(t, h, cfg)
	a, u, n := s.at(t, acme), s.at(t, umbrella), s.at(t, nobody)
	p := hosttest.Dial(t, s.url, hosttest.Options{Host: acme, LongPoll: true})
	for _, c := range []*hosttest.Client{a, u, n, p} {
		c.Join("t", "")
	}
	out, err := s.Suspend("acme", "abuse")
	if want := (host.Outcome{Tenant: "acme", Suspended: true, Closed: 2, Kept: true}); err != nil || out != want {
		t.Errorf("got %+v, %v, want %+v", out, err, want)
	}
	if text := a.ExpectClose(1013); text != "the tenant is suspended" {
		t.Errorf("closed with %q", text)
	}
	p.ExpectClose()
	for range 2 {
		if reason := <-ended; reason != "disconnected" {
			t.Errorf("terminate was told %s", reason)
		}
	}
	wantSuspended(t, s, acme)
	wantCallsRefused(t, s)
	tenant := s.tenant(t, "acme")
	info := tenant.Info()
	want := host.TenantInfo{Tenant: "acme", Suspended: true, Reason: "abuse", Since: info.Since}
	if info.Refused = nil; info.Since == nil || fmt.Sprint(info) != fmt.Sprint(want) || book.names() != "acme" {
		t.Errorf("info %+v, kept %q", info, book.names())
	}
	for _, c := range []*hosttest.Client{u, n} {
		ref := c.Push("t", "echo", "")
		c.Expect(reply("11", ref, "t", `{}`))
	}
	if out, err := s.Resume("acme", "sorted out"); err != nil || out != (host.Outcome{Tenant: "acme", Kept: true}) || book.names() != "" {
		t.Errorf("resumed: %+v, %v, kept %q", out, err, book.names())
	}
	a = s.at(t, acme)
	a.Join("t", "")
	if err := tenant.Broadcast("t", "news", nil); err != nil {
		t.Error(err)
	}
	a.Expect(`[null,null,"t","news",{}]`)
	wantLogged(t, s,
		`msg="tenant suspended" code=TENANT_SUSPENDED tenant=acme reason=abuse by="" closed=2 kept=true`,
		`msg="tenant resumed" code=TENANT_RESUMED tenant=acme reason="sorted out"`)
}

func wantLogged(t *testing.T, s *server, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(s.log.String(), line) {
			t.Errorf("the log lacks %s:\n%s", line, s.log)
		}
	}
}

// TestSuspendUnderLoad: while all clients of a tenant send and come back as often
// as they can, within a second none of its connections is open, and the other
// tenant notices nothing.
func TestSuspendUnderLoad(t *testing.T) {
	s := startConfig(t, intruder(), tenants(host.TenantLimits{}))
	u := s.at(t, umbrella)
	u.Join("t", "")
	var stop atomic.Bool
	var load sync.WaitGroup
	var refused, echoed atomic.Int64
	for range 20 {
		load.Go(func() {
			for !stop.Load() {
				conn := handshakeAs(t, s, acme)
				_, _ = conn.Write(clientText(`["1","1","t","phx_join",{}]`, `["1","2","t","echo",{}]`, `["1","3","t","broadcast",{}]`)) // it may be closed already
				n, no := countEchoes(conn)
				echoed.Add(n)
				if no {
					refused.Add(1)
				}
				_ = conn.Close() // the server was first
			}
		})
	}
	eventually(t, "the load is there", func() bool { return s.tenant(t, "acme").Info().Sockets == 20 })
	began := time.Now()
	out, err := s.Suspend("acme", "load")
	if took := time.Since(began); err != nil || took > time.Second || out.Closed == 0 || out.Kept {
		t.Errorf("suspended after %s: %+v, %v", took, out, err)
	}
	if n := s.tenant(t, "acme").Info().Sockets; n != 0 {
		t.Errorf("%d sockets are left", n)
	}
	eventually(t, "they come back and are refused", func() bool { return refused.Load() > 50 })
	ref := u.Push("t", "echo", "")
	u.Expect(reply("11", ref, "t", `{}`))
	if n := s.tenant(t, "acme").Info().Sockets; n != 0 || echoed.Load() == 0 {
		t.Errorf("%d sockets have come in, %d echoes", n, echoed.Load())
	}
	stop.Store(true)
	load.Wait()
}

// slowBook is a notebook that is opened for each writing by who reads the channel.
type slowBook struct {
	notebook
	opened chan struct{}
}

func (b *slowBook) Save(all []host.Suspension) error {
	b.opened <- struct{}{}
	return b.notebook.Save(all)
}

// TestSuspensionsAreIndependent: while one is being saved, which takes as long as a disk
// does, the sockets of others are closed; all that have waited are saved at once.
func TestSuspensionsAreIndependent(t *testing.T) {
	cfg, book := tenants(host.TenantLimits{}), &slowBook{opened: make(chan struct{})}
	cfg.Suspensions = book
	s := startConfig(t, intruder(), cfg)
	a, u := s.at(t, acme), s.at(t, umbrella)
	a.Join("t", "") // so that they are let in, not only accepted
	u.Join("t", "")
	var work sync.WaitGroup
	suspend := func(name string) {
		work.Go(func() {
			want := host.Outcome{Tenant: name, Suspended: true, Closed: 1, Kept: true}
			if out, err := s.Suspend(name, ""); err != nil || out != want {
				t.Errorf("got %+v, %v, want %+v", out, err, want)
			}
		})
	}
	suspend("acme")
	a.ExpectClose(1013)
	suspend("umbrella")
	u.ExpectClose(1013) // nobody has let acme's be saved
	done := make(chan struct{})
	go func() {
		defer close(done)
		work.Wait()
	}()
	for saving := true; saving; { // once or twice
		select {
		case <-book.opened:
		case <-done:
			saving = false
		}
	}
	if got := book.names(); got != "acme umbrella" {
		t.Errorf("saved are %s", got)
	}
}

// TestSuspendCutsOffTheStubborn: a client that does not answer the close frame,
// and one whose callback does not return, have no connection after it.
func TestSuspendCutsOffTheStubborn(t *testing.T) {
	h, entered, gate := intruder(), make(chan struct{}), make(chan struct{})
	h.in["hang"] = func(*abi.Request, *abi.Response) error { close(entered); <-gate; return nil }
	s := startConfig(t, h, tenants(host.TenantLimits{}))
	deaf, hung := handshakeAs(t, s, acme), handshakeAs(t, s, acme)
	if _, err := hung.Write(clientText(`["1","1","t","phx_join",{}]`, `["1","2","t","hang",{}]`)); err != nil {
		t.Fatal(err)
	}
	<-entered
	eventually(t, "both are there", func() bool { return s.tenant(t, "acme").Info().Sockets == 2 })
	if out, err := s.Suspend("acme", ""); err != nil || out.Closed != 2 {
		t.Errorf("got %+v, %v", out, err)
	}
	for name, conn := range map[string]io.ReadCloser{"deaf": deaf, "hung": hung} {
		if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: %v", name, err)
		}
		_ = conn.Close() // the server was first
	}
	close(gate)
	eventually(t, "the callback's socket has ended", func() bool { return s.tenant(t, "acme").Info().Sockets == 0 })
}

// TestSuspendDuringAHandshake: a client that connect has accepted is not let in
// any more.
func TestSuspendDuringAHandshake(t *testing.T) {
	h, entered, gate := intruder(), make(chan struct{}), make(chan struct{})
	h.connect = func(_ *abi.Request, resp *abi.Response) error {
		entered <- struct{}{}
		<-gate
		resp.Result = abi.ResultReply
		return nil
	}
	s := startConfig(t, h, tenants(host.TenantLimits{}))
	conn := handshakeAs(t, s, acme)
	<-entered
	polled := make(chan *hosttest.PollAnswer, 1)
	p := &session{t: t, url: strings.Replace(strings.Replace(s.url, "ws://", "http://", 1), "/websocket", "/longpoll", 1)}
	go func() { polled <- p.askAs(acme) }()
	<-entered
	if out, err := s.Suspend("acme", ""); err != nil || out.Closed != 0 {
		t.Errorf("got %+v, %v", out, err)
	}
	close(gate)
	if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
	_ = conn.Close() // the server was first
	if a := <-polled; a.HTTPStatus != 503 {
		t.Errorf("a session began: %+v", a)
	}
	info := s.tenant(t, "acme").Info()
	if info.Sockets != 0 {
		t.Errorf("%+v", info)
	}
}

func TestSuspendRefuses(t *testing.T) {
	s := startConfig(t, intruder(), tenants(host.TenantLimits{}))
	for _, tt := range []struct {
		name, reason string
		want         error
	}{
		{"", "", host.ErrDefaultTenant},
		{"acne", "", host.ErrNoSuchTenant},
		{"acme", strings.Repeat("x", 1025), host.ErrInvalidReason},
		{"acme", "\xff", host.ErrInvalidReason},
	} {
		if _, err := s.Suspend(tt.name, tt.reason); !errors.Is(err, tt.want) {
			t.Errorf("suspend %q: %v, want %v", tt.name, err, tt.want)
		}
		if _, err := s.Resume(tt.name, tt.reason); !errors.Is(err, tt.want) {
			t.Errorf("resume %q: %v, want %v", tt.name, err, tt.want)
		}
	}
	s.at(t, acme).ExpectSilence()
	s.at(t, nobody).ExpectSilence()
	if log := s.log.String(); strings.Count(log, "SUSPEND_REFUSED") != 4 || strings.Count(log, "RESUME_REFUSED") != 4 {
		t.Errorf("the log does not tell of each:\n%s", log)
	}
}

// TestSuspensionsAreKept: and those of tenants that are not declared now too.
func TestSuspensionsAreKept(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	book := &notebook{kept: []host.Suspension{{Tenant: "acme", Reason: "abuse", Since: since}, {Tenant: "gone", Since: since}}}
	cfg := tenants(host.TenantLimits{})
	cfg.Suspensions = book
	s := startConfig(t, intruder(), cfg)
	wantSuspended(t, s, acme)
	s.at(t, umbrella).ExpectSilence()
	if _, err := s.Suspend("umbrella", ""); err != nil || book.names() != "acme gone umbrella" {
		t.Errorf("%v, kept %q", err, book.names())
	}
	if _, err := s.Suspend("acme", "worse"); err != nil || book.kept[0] != (host.Suspension{Tenant: "acme", Reason: "worse", Since: since}) {
		t.Errorf("%v, kept %v", err, book.kept)
	}
	for range 2 { // again is no error
		if _, err := s.Resume("acme", ""); err != nil || book.names() != "gone umbrella" {
			t.Errorf("%v, kept %q", err, book.names())
		}
	}
	s.at(t, acme).ExpectSilence()
}

// TestSuspendWithoutADisk: what cannot be saved keeps the tenant out for as long
// as it can, and is told.
func TestSuspendWithoutADisk(t *testing.T) {
	cfg, book := tenants(host.TenantLimits{}), &notebook{}
	cfg.Suspensions = book
	s := startConfig(t, intruder(), cfg)
	if _, err := s.Suspend("umbrella", ""); err != nil {
		t.Error(err)
	}
	book.fails = errors.New("disk full")
	out, err := s.Suspend("acme", "")
	if !errors.Is(err, host.ErrNotKept) || !errors.Is(err, book.fails) || !out.Suspended || out.Kept {
		t.Errorf("suspended without a disk: %+v, %v", out, err)
	}
	wantSuspended(t, s, acme)
	out, err = s.Resume("umbrella", "")
	if !errors.Is(err, host.ErrNotKept) || !out.Suspended {
		t.Errorf("resumed without a disk: %+v, %v", out, err)
	}
	wantSuspended(t, s, umbrella)
	for name, want := range map[string]string{"suspend": "acme is suspended, but not kept over a restart: disk full", "resume": "acme is not resumed: not kept"} {
		if status, body := call(t, "POST", s.internal+"/api/v1/"+name, `{"tenant":"acme"}`, ""); status != 500 || !strings.Contains(body, `"NOT_KEPT"`) || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

// TestBrokenSuspensions: a server that cannot know who is suspended does not
// start.
func TestBrokenSuspensions(t *testing.T) {
	for want, book := range map[string]*notebook{
		"suspended tenants: torn":                                   {fails: errors.New("torn")},
		"suspended tenants: the default tenant cannot be suspended": {kept: []host.Suspension{{}}},
	} {
		if _, err := host.New(host.Config{Suspensions: book}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestTenantCalls(t *testing.T) {
	s := startConfig(t, intruder(), tenants(host.TenantLimits{Timers: 7}))
	s.at(t, acme).Join("t", "")
	for _, tt := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"POST", "suspend", `{"tenant":"umbrella","reason":"why \"so\""}`, 200, `{"tenant":"umbrella","suspended":true,"closed":0,"kept":false,"note":"data_dir is not set: a restart resumes all tenants"}`},
		{"GET", "tenants", "", 200, `{"tenants":[{"tenant":"","sockets":0,"channels":0,"topics":0,"groups":0,"state_bytes":0,"timers":0,"presences":0,"subscriptions":0,"refused":{},"suspended":false},` +
			`{"tenant":"acme","sockets":1,"channels":1,"topics":2,"groups":0,"state_bytes":0,"timers":0,"presences":0,"subscriptions":0,"refused":{},"suspended":false},` +
			`{"tenant":"umbrella","sockets":0,"channels":0,"topics":0,"groups":0,"state_bytes":0,"timers":0,"presences":0,"subscriptions":0,"refused":{},"suspended":true,"reason":"why \"so\"","since":"<any>"}]}`},
		{"POST", "resume", `{"tenant":"umbrella"}`, 200, `{"tenant":"umbrella","suspended":false,"closed":0,"kept":false}`},
		{"POST", "suspend", `{"tenant":""}`, 400, `{"error":{"code":"BAD_REQUEST","message":"tenant is missing; the default tenant cannot be suspended"}}`},
		{"POST", "resume", `{}`, 400, `{"error":{"code":"BAD_REQUEST","message":"tenant is missing; the default tenant cannot be suspended"}}`},
		{"POST", "suspend", `{"tenant":"acme","reason":"` + strings.Repeat("x", 1025) + `"}`, 400, `{"error":{"code":"INVALID_REASON","message":"reason is not UTF-8 of up to 1024 bytes"}}`},
		{"POST", "broadcast", `{"topic":"t","event":"e","reason":"x"}`, 400, `{"error":{"code":"BAD_REQUEST","message":"reason is for suspend and resume"}}`},
		{"POST", "tenants", `{}`, 405, `{"error":{"code":"METHOD","message":"use GET"}}`},
		{"GET", "suspend", ``, 405, `{"error":{"code":"METHOD","message":"use POST"}}`},
	} {
		status, body := call(t, tt.method, s.internal+"/api/v1/"+tt.path, tt.body, "")
		if status != tt.status || withoutTimes(t, body) != tt.answer+"\n" {
			t.Errorf("%s %s %s: %d\n got %s\nwant %s", tt.method, tt.path, tt.body, status, body, tt.answer)
		}
	}
	if log := s.log.String(); !strings.Contains(log, "by=127.0.0.1:") {
		t.Errorf("the log does not say who called:\n%s", log)
	}
	var info host.Info
	if _, body := call(t, "GET", s.internal+"/api/v1/info", "", ""); json.Unmarshal([]byte(body), &info) != nil ||
		info.Sockets != 1 || info.Channels != 1 || info.Topics != 2 || len(info.Tenants) != 3 {
		t.Errorf("info %s", body)
	}
}

// withoutTimes replaces the time of a suspension.
func withoutTimes(t *testing.T, body string) string {
	t.Helper()
	before, rest, ok := strings.Cut(body, `"since":"`)
	if !ok {
		return body
	}
	at, rest, _ := strings.Cut(rest, `"`)
	if _, err := time.Parse(time.RFC3339Nano, at); err != nil {
		t.Error(err)
	}
	return before + `"since":"<any>"` + rest
}

// TestSuspendMeetsDrain: both end the same sockets, and one is enough.
func TestSuspendMeetsDrain(t *testing.T) {
	for i := range 20 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s := startConfig(t, intruder(), tenants(host.TenantLimits{}))
			c := s.at(t, acme)
			c.Join("t", "")
			var both sync.WaitGroup
			both.Go(func() {
				if _, err := s.Suspend("acme", ""); err != nil {
					t.Error(err)
				}
			})
			both.Go(func() {
				if err := s.Drain(t.Context()); err != nil {
					t.Error(err)
				}
			})
			c.ExpectClose(1012, 1013)
			both.Wait()
		})
	}
}
