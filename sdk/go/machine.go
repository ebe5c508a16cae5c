package aviary

import (
	"math/rand/v2"
	"sync"

	"github.com/aviary-host/aviary/abi"
)

// guest is the one variable of this package: what the init functions of the
// module declared, and the buffers that callbacks reuse. Nothing in it carries
// meaning from one callback to the next.
var guest = new(machine)

// Host is what the host answers while a callback runs.
type Host interface {
	// Log writes a line to the log.
	Log(level Level, line string)
	// Presences returns the JSON object of who is present on topic.
	Presences(topic string) []byte
	// Config returns the JSON text of a setting, nil if there is none; of all of
	// them for the empty key.
	Config(key string) []byte
}

// route is a [Route] of any state.
type route interface {
	topics() pattern
	has(callback abi.Callback) bool
	serve(m *machine)
}

// machine turns requests into responses.
type machine struct {
	// Declared by init functions.
	routes  []route
	connect ConnectHandler

	// Of the callback at hand.
	host           Host
	req            abi.Request
	resp           abi.Response
	pattern        pattern
	running        bool
	seeded         bool
	connectContext ConnectContext

	lock sync.Mutex // held by Serve; a module has one thread

	// Room kept for reuse.
	request []byte  // what the host writes requests to
	out     []byte  // the encoded response
	state   []byte  // the encoded state
	warm    []*byte // see warmAllocator
	source  rand.ChaCha8
	rand    *rand.Rand
	objs    pool[Obj]
	arrs    pool[Arr]
	fields  pool[Fields]
}

// marker is what the module says of itself: which callbacks to spare the host.
func (m *machine) marker() abi.Marker {
	var absent []abi.Callback
	if m.connect == nil {
		absent = append(absent, abi.CallbackConnect)
	}
	for c := abi.CallbackHandleIn; int(c) < abi.NumCallbacks; c++ {
		if !m.handles(c) {
			absent = append(absent, c)
		}
	}
	return abi.NewMarker(abi.Revision, absent...)
}

func (m *machine) handles(callback abi.Callback) bool {
	for _, r := range m.routes {
		if r.has(callback) {
			return true
		}
	}
	return false
}

// undeclared tells what the declarations lack without which no join can succeed,
// "" when nothing.
func (m *machine) undeclared() (problem string) {
	if len(m.routes) == 0 {
		return "no channel is declared: call aviary.Channel in an init function, main is never run"
	}
	for _, r := range m.routes {
		if !r.has(abi.CallbackJoin) {
			return "channel " + r.topics().text + " has no Join handler"
		}
	}
	return ""
}

// serve runs one callback and returns the encoded response, which stays as it is
// until the next one.
func (m *machine) serve(request []byte) []byte {
	if err := abi.DecodeRequest(request, &m.req); err != nil {
		panic("aviary: " + err.Error())
	}
	m.begin()
	if m.req.Callback == abi.CallbackConnect {
		m.serveConnect()
	} else {
		m.serveChannel()
	}
	m.running = false
	m.out = abi.AppendResponse(m.out[:0], &m.resp)
	return m.out
}

// requestBuffer returns room for requests, at least size bytes of it.
func (m *machine) requestBuffer(size int) []byte {
	if size > len(m.request) {
		m.request = make([]byte, size)
	}
	return m.request
}

func (m *machine) begin() {
	m.resp.Reset()
	m.pattern = pattern{}
	m.connectContext = ConnectContext{shared{m}}
	m.objs.used, m.arrs.used, m.fields.used = 0, 0, 0
	m.seeded = false
	m.running = true
}

func (m *machine) serveChannel() {
	topic := stringOf(m.req.Topic)
	for _, r := range m.routes {
		if p := r.topics(); p.match(topic) {
			m.pattern = p
			r.serve(m)
			return
		}
	}
	m.serveUnmatched()
}

// serveUnmatched answers for a topic that no channel serves. The host's
// configuration sends the module topics that it does not know, or the version
// before this one knew them.
func (m *machine) serveUnmatched() {
	switch m.req.Callback {
	case abi.CallbackJoin:
		m.host.Log(LevelWarn, m.unmatched())
		m.refuse("unmatched topic")
	case abi.CallbackHandleIn, abi.CallbackCodeChange:
		m.refuse("unmatched topic")
	case abi.CallbackHandleOut:
		m.resp.Result = abi.ResultPass
	case abi.CallbackPresenceFetch:
		m.resp.Result = abi.ResultReply
	}
}

// unmatched says which topic no channel matches, and what the channels do.
func (m *machine) unmatched() string {
	line := "no channel matches topic " + string(appendQuoted(nil, stringOf(m.req.Topic))) + "; declared are "
	for i, r := range m.routes {
		if i > 0 {
			line += ", "
		}
		line += r.topics().text
	}
	return line
}

// refuse answers reply_error with a reason.
func (m *machine) refuse(reason string) {
	m.resp.Result = abi.ResultReplyError
	m.resp.Payload = bytesOf(valueFrom(Object().Str("reason", reason)).text)
}

// keepState answers code_change by leaving everything as it was.
func (m *machine) keepState() {
	m.resp.HasState, m.resp.State, m.resp.StateVersion = true, m.req.State, m.req.StateVersion
}

// effect adds an effect, whose other fields the caller fills in at once.
func (m *machine) effect(kind abi.EffectKind, p Value) *abi.Effect {
	payload, binary := wirePayload(p)
	m.resp.Effects = append(m.resp.Effects, abi.Effect{Kind: kind, Payload: payload, Binary: binary})
	return &m.resp.Effects[len(m.resp.Effects)-1]
}

func (m *machine) payload() Value {
	text := stringOf(m.req.Payload)
	if m.req.Binary {
		return Value{text: text, kind: KindBytes}
	}
	return parse(text)
}

func (m *machine) random() *rand.Rand {
	if !m.seeded {
		m.seeded = true
		var seed [32]byte
		copy(seed[:], m.req.Seed[:])
		m.source.Seed(seed)
		if m.rand == nil {
			m.rand = rand.New(&m.source)
		}
	}
	return m.rand
}
