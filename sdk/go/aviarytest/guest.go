package aviarytest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aviary-host/aviary/abi"
	aviary "github.com/aviary-host/aviary/sdk/go"
)

// Guest is the module under test together with one client's socket. Its fields
// may be set at any time.
type Guest struct {
	SocketID string
	Time     int64    // what Context.Time gives
	Settings string   // what Context.Config gives, a JSON object
	Logs     []string // lines logged so far, each behind its level

	t         testing.TB
	presences map[string]string
	calls     uint64 // so far; seeds the next
	refs      int
	seed      []byte // the state that connect gave
	version   uint32
	idTopic   []byte
}

// New returns the module of the package under test.
func New(t testing.TB) *Guest {
	return &Guest{SocketID: "socket-1", Time: 1_700_000_000_000, t: t, presences: map[string]string{}}
}

// SetPresences sets what Context.Presences gives for a topic, a JSON object.
func (g *Guest) SetPresences(topic, object string) { g.presences[topic] = object }

// Connect runs the Connect handler. params and headers are JSON objects, "" is {}.
// The seed it gives is what later joins begin with.
func (g *Guest) Connect(params, headers string) *Response {
	g.t.Helper()
	r, err := g.Run(&abi.Request{
		Transport: abi.TransportWebSocket,
		Callback:  abi.CallbackConnect, Params: []byte(orEmpty(params)), Headers: []byte(orEmpty(headers)),
	})
	if err != nil {
		g.t.Fatalf("connect: %v", err)
	}
	if r.Result == abi.ResultReply {
		g.seed, g.version, g.idTopic = r.State, r.StateVersion, r.IDTopic
	}
	return r
}

// Join joins a topic. Whether it was accepted is in the channel: [Channel.Joined].
func (g *Guest) Join(topic, payload string) *Channel {
	g.t.Helper()
	c, err := g.TryJoin(topic, payload)
	if err != nil {
		g.t.Fatalf("join %s: %v", topic, err)
	}
	return c
}

// TryJoin is Join, and returns the error of one that crashes instead of failing
// the test.
func (g *Guest) TryJoin(topic, payload string) (*Channel, error) {
	c := &Channel{Topic: topic, State: g.seed, StateVersion: g.version, g: g}
	req := c.Request(abi.CallbackJoin)
	c.JoinRef = string(req.Ref)
	req.JoinRef = req.Ref
	req.Payload = []byte(orEmpty(payload))
	c.Joined = true // to be run at all
	_, err := c.run(req)
	c.Joined = err == nil && c.Last.Result == abi.ResultReply
	return c, err
}

func orEmpty(object string) string {
	if object == "" {
		return "{}"
	}
	return object
}

// Run runs one callback of which every detail is yours; socket id, time, seed and
// settings are filled in where they are empty. The error says why the host would
// have discarded the callback: an [aviary.PanicError] if a handler panicked.
func (g *Guest) Run(req *abi.Request) (*Response, error) {
	g.fill(req)
	for _, text := range [][]byte{req.Params, req.Headers, req.Config} {
		if len(text) > 0 && !json.Valid(text) {
			return nil, fmt.Errorf("the test's own JSON is malformed: %s", text)
		}
	}
	if !req.Binary && len(req.Payload) > 0 && !json.Valid(req.Payload) {
		return nil, fmt.Errorf("the test's own payload is malformed: %s", req.Payload)
	}
	block, err := aviary.Serve((*host)(g), abi.AppendRequest(nil, req))
	if err != nil {
		return nil, err
	}
	r := &Response{callback: req.Callback}
	if err := abi.DecodeResponse(block, abi.DefaultLimits(), &r.Response); err != nil {
		return nil, err
	}
	return r, r.check()
}

func (g *Guest) fill(req *abi.Request) {
	if len(req.SocketID) == 0 {
		req.SocketID = []byte(g.SocketID)
	}
	if req.TimeMS == 0 {
		req.TimeMS = g.Time
	}
	if req.Seed == [16]byte{} {
		g.calls++
		binary.LittleEndian.PutUint64(req.Seed[:], g.calls)
	}
	switch req.Callback {
	case abi.CallbackConnect, abi.CallbackJoin, abi.CallbackCodeChange:
		if len(req.Config) == 0 {
			req.Config = []byte(g.Settings)
		}
	}
}

// nextRef returns the ref of a new message, as the host hands it on.
func (g *Guest) nextRef() []byte {
	g.refs++
	return fmt.Appendf(nil, "%q", fmt.Sprint(g.refs))
}

// host answers the imports.
type host Guest

// Log implements aviary.Host.
func (h *host) Log(level aviary.Level, line string) {
	names := map[aviary.Level]string{
		aviary.LevelDebug: "debug", aviary.LevelInfo: "info", aviary.LevelWarn: "warn", aviary.LevelError: "error",
	}
	h.Logs = append(h.Logs, names[level]+" "+line)
}

// Presences implements aviary.Host.
func (h *host) Presences(topic string) []byte { return []byte(orEmpty(h.presences[topic])) }

// Config implements aviary.Host.
func (h *host) Config(key string) []byte {
	if key == "" {
		return []byte(orEmpty(h.Settings))
	}
	var settings map[string]json.RawMessage
	if err := json.Unmarshal([]byte(orEmpty(h.Settings)), &settings); err != nil {
		return nil // reported by Run where the request carries it
	}
	return settings[key]
}
