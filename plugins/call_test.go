package plugins_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

func TestEchoGuestWrittenFromSpec(t *testing.T) {
	p := load(t, fault(t, "echo"), plugins.Config{Instances: 1})
	req := abi.Request{
		Callback: abi.CallbackJoin, Topic: []byte("room:1"), Event: []byte("phx_join"),
		Ref: []byte("1"), JoinRef: []byte("1"), Payload: []byte(`{"name":"Ada"}`), SocketID: []byte("S"),
	}
	var resp abi.Response
	var buf []byte
	for i := range uint32(3) {
		var err error
		if buf, err = p.Handle(&req, buf, &resp); err != nil {
			t.Fatal(err)
		}
		if resp.Result != abi.ResultReply || !bytes.Equal(resp.Payload, req.Payload) || resp.Binary != req.Binary {
			t.Errorf("response is %+v", resp)
		}
		if !resp.HasState || resp.StateVersion != 1 || binary.LittleEndian.Uint32(resp.State) != i+1 {
			t.Errorf("state is %x in version %d", resp.State, resp.StateVersion)
		}
		req.Callback, req.Binary, req.Payload = abi.CallbackHandleIn, true, []byte{0, 1, byte(i)}
		req.State, req.StateVersion = append([]byte(nil), resp.State...), resp.StateVersion
	}
}

func TestLongRequestGetsLongerBuffer(t *testing.T) {
	p := load(t, fault(t, "echo"), plugins.Config{Instances: 1})
	for _, n := range []int{10, 65400, 65401, 131072, 200 << 10, 100} {
		payload := strings.Repeat("x", n)
		if got := mustHandle(t, p, abi.CallbackHandleIn, payload); got != payload {
			t.Errorf("echo of %d bytes has %d", n, len(got))
		}
	}
	if p.Live() != 1 {
		t.Error("the instance was not kept")
	}
}

func TestRequestOverMemoryIsRefused(t *testing.T) {
	p := load(t, fault(t, "echo"), plugins.Config{MemoryPages: 4})
	_, err := handle(p, abi.CallbackHandleIn, strings.Repeat("x", 4*65536))
	var call *plugins.CallError
	if !errors.As(err, &call) || call.Kind != plugins.KindTooLarge {
		t.Errorf("error is %v", err)
	}
	if p.Live() != 1 {
		t.Error("the instance was not kept")
	}
}

func TestImplements(t *testing.T) {
	p := load(t, fault(t, "echo"), plugins.Config{})
	for c := range 256 {
		c := abi.Callback(c)
		want := c == abi.CallbackJoin || c == abi.CallbackHandleIn
		if got := p.Implements(c); got != want {
			t.Errorf("Implements(%d) = %t", c, got)
		}
		if want {
			continue
		}
		_, err := handle(p, c, "")
		var call *plugins.CallError
		if !errors.As(err, &call) || call.Kind != plugins.KindNoCallback {
			t.Errorf("Handle of callback %d: %v", c, err)
		}
	}
}

func TestAccessors(t *testing.T) {
	wasm := fault(t, "echo")
	p := load(t, wasm, plugins.Config{Name: "birds"})
	if p.Name() != "birds" || p.Size() != len(wasm) || len(p.Hash()) != 64 {
		t.Error(p.Name(), p.Size(), p.Hash())
	}
}

func TestLimitsFromConfig(t *testing.T) {
	p := load(t, fault(t, "echo"), plugins.Config{Limits: abi.Limits{State: 3}})
	_, err := handle(p, abi.CallbackHandleIn, "{}")
	if err == nil || !strings.Contains(err.Error(), "state is over the limit in bytes: 4 > 3") {
		t.Error(err)
	}
}

func TestLoadChecksConfig(t *testing.T) {
	for want, cfg := range map[string]plugins.Config{
		"plugin unnamed: configured for 65537 pages of memory, but there are at most 65536": {MemoryPages: 65537},
		"plugin x: settings are not a JSON object: they are null":                           {Name: "x", Settings: []byte("null")},
		"plugin x: settings are not a JSON object: unexpected end of JSON input":            {Name: "x", Settings: []byte("{")},
	} {
		if _, err := plugins.Load(context.Background(), fault(t, "echo"), cfg); err == nil || err.Error() != want {
			t.Errorf("error is\n%v\nwant\n%s", err, want)
		}
	}
}

func TestLoadEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := plugins.Load(ctx, fault(t, "echo"), plugins.Config{})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The functions of the imports guest.
const (
	fnLog byte = iota
	fnConfig
	fnPresenceList
	fnWrite
)

// Addresses in the imports guest.
const (
	addrText = 65536 + 136 + 20 // of order.text
	addrOut  = 131072
)

// order tells the imports guest what to call.
type order struct {
	fn    byte
	trap  bool
	times uint16
	args  [4]uint32
	text  string // lies at addrText
}

func (o order) payload() string {
	b := []byte{o.fn, 0, 0, 0}
	if o.trap {
		b[1] = 1
	}
	binary.LittleEndian.PutUint16(b[2:], max(o.times, 1))
	for _, a := range o.args {
		b = binary.LittleEndian.AppendUint32(b, a)
	}
	return string(b) + o.text
}

// run gives the order and returns the import's result and the text written.
func (o order) run(t *testing.T, p *plugins.Plugin) (int32, string) {
	t.Helper()
	got := mustHandle(t, p, abi.CallbackHandleIn, o.payload())
	out, _, _ := strings.Cut(got[4:], "\x00")
	return int32(binary.LittleEndian.Uint32([]byte(got))), out
}

func TestConfigImport(t *testing.T) {
	settings := `{"a": {"b":[1, 2]}, "":3, "greeting":"hi"}`
	fresh := func() *plugins.Plugin {
		return load(t, fault(t, "imports"), plugins.Config{Settings: []byte(settings)})
	}
	for _, tt := range []struct {
		key  string
		room uint32
		n    int32
		want string
	}{
		{"greeting", 64, 4, `"hi"`},
		{"a", 64, 12, `{"b":[1, 2]}`},
		{"a", 12, 12, `{"b":[1, 2]}`},
		{"a", 11, 12, ""},
		{"a", 0, 12, ""},
		{"b", 64, -1, ""},
		{"", 64, 42, settings},
	} {
		o := order{fn: fnConfig, args: [4]uint32{addrText, uint32(len(tt.key)), addrOut, tt.room}, text: tt.key}
		if n, got := o.run(t, fresh()); n != tt.n || got != tt.want {
			t.Errorf("config(%q, room %d) = %d %q, want %d %q", tt.key, tt.room, n, got, tt.n, tt.want)
		}
	}
	p := fresh()
	for _, args := range [][4]uint32{{196600, 9, addrOut, 8}, {addrText, 1, 196600, 9}, {addrText, 1, 0xfffffff0, 0x20}} {
		_, err := handle(p, abi.CallbackHandleIn, order{fn: fnConfig, args: args}.payload())
		if err == nil || !strings.Contains(err.Error(), "trap: config: ") {
			t.Errorf("config(%v): %v", args, err)
		}
	}
	// Where nothing is named, the address does not matter.
	if n, _ := (order{fn: fnConfig, args: [4]uint32{0xaaaaaaaa, 0, 0xaaaaaaaa, 0}}).run(t, p); n != 42 {
		t.Errorf("config() = %d", n)
	}
}

func TestPresenceListImport(t *testing.T) {
	cfg := plugins.Config{Presence: func(dst []byte, topic string) []byte {
		if topic == "bug" {
			panic("presence is broken")
		}
		return fmt.Appendf(dst, `{"of":%q}`, topic)
	}}
	p := load(t, fault(t, "imports"), cfg)
	o := order{fn: fnPresenceList, args: [4]uint32{addrText, 6, addrOut, 64}, text: "room:1"}
	if n, got := o.run(t, p); n != 15 || got != `{"of":"room:1"}` {
		t.Errorf("presence_list = %d %q", n, got)
	}
	o.args[1], o.text = 3, "bug"
	_, err := handle(p, abi.CallbackHandleIn, o.payload())
	if err == nil || err.Error() != "plugin chat: handle_in: host: presence is broken (recovered by wazero)" {
		t.Errorf("error is %v", err)
	}
	mustHandle(t, p, abi.CallbackJoin, "")

	none := load(t, fault(t, "imports"), plugins.Config{})
	o.args[1], o.text = 6, "room:1"
	if n, got := o.run(t, none); n != 2 || got != "{}" {
		t.Errorf("presence_list without presence = %d %q", n, got)
	}
}

func TestLogImport(t *testing.T) {
	logger, out := newLogger()
	p := load(t, fault(t, "imports"), plugins.Config{Logger: logger})
	levels := []string{"DEBUG", "INFO", "WARN", "ERROR", "ERROR"}
	for level, name := range levels {
		order{args: [4]uint32{uint32(level), addrText, 6}, text: "hi\nyou"}.run(t, p)
		want := "level=" + name + ` msg="hi\nyou" plugin=chat src=guest callback=handle_in`
		if got := out.lines(); len(got) != 1 || got[0] != want {
			t.Errorf("logged %q, want %s", got, want)
		}
	}
	// A line is cut, and written also when the callback traps afterwards.
	long := strings.Repeat("x", 2000)
	if _, err := handle(p, abi.CallbackHandleIn, order{args: [4]uint32{1, addrText, 2000}, text: long, trap: true}.payload()); err == nil {
		t.Error("no trap")
	}
	if got := out.lines(); len(got) != 1 || strings.Count(got[0], "x") != 1024 {
		t.Errorf("logged %q", got)
	}
}

// TestLogLinesNameTheirRequest: topic, socket and event, where the request has
// them, and those of another request never.
func TestLogLinesNameTheirRequest(t *testing.T) {
	logger, out := newLogger()
	p := load(t, fault(t, "imports"), plugins.Config{Instances: 1, Logger: logger})
	full := abi.Request{
		Callback: abi.CallbackHandleIn, Topic: []byte("room:1"), SocketID: []byte("S1"), Event: []byte("a b"),
	}
	for _, tt := range []struct {
		topic, socket, event, want string
	}{
		{"room:1", "S1", "a b", ` topic=room:1 socket=S1 event="a b"`},
		{"room:1", "", "", ` topic=room:1`},
		{"", "", "", ""},
	} {
		full.Topic, full.SocketID, full.Event = []byte(tt.topic), []byte(tt.socket), []byte(tt.event)
		before := uint32(len(tt.topic) + len(tt.socket) + len(tt.event)) // bytes in front of the payload
		for _, o := range []order{{args: [4]uint32{1, addrText, 2}, text: "hi"}, write(1, "hi", 1), write(2, "hi\n", 1)} {
			o.args[1] += before
			if o.fn == fnWrite {
				iovec := binary.LittleEndian.AppendUint32(nil, addrText+8+before)
				o.text = string(iovec) + o.text[len(iovec):]
			}
			full.Payload = []byte(o.payload())
			var resp abi.Response
			if _, err := p.Handle(&full, nil, &resp); err != nil {
				t.Fatal(err)
			}
			if got := out.lines(); len(got) != 1 || !strings.HasSuffix(got[0], " msg=hi plugin=chat src=guest callback=handle_in"+tt.want) {
				t.Errorf("logged %q, want %s", got, tt.want)
			}
		}
	}
}

// TestDumpOfRunTimeIsCut: once a run-time gives up, warnings are its headlines and
// the first lines; the rest is for debugging.
func TestDumpOfRunTimeIsCut(t *testing.T) {
	logger, out := newLogger()
	p := load(t, fault(t, "imports"), plugins.Config{Logger: logger})
	frames := strings.Repeat("frame\n", 20)
	for text, want := range map[string]int{
		frames: 20,
		"before\n" + frames + "panic: boom\n" + frames:                                     30,
		"goroutine 1 [running]:\n" + frames:                                                9,
		"runtime: out of memory\nfatal error: out of memory\n" + frames + "panic: again\n": 11,
	} {
		write(2, text, 1).run(t, p)
		lines, warned := out.lines(), 0
		for _, line := range lines {
			if strings.HasPrefix(line, "level=WARN ") {
				warned++
			} else if !strings.HasPrefix(line, "level=DEBUG msg=frame ") {
				t.Errorf("logged %s", line)
			}
		}
		if warned != want || len(lines) != strings.Count(text, "\n") {
			t.Errorf("%q: %d lines, %d warnings, want %d", text, len(lines), warned, want)
		}
	}
	write(2, "panic: boom\n"+strings.Repeat(frames, 4), 1).run(t, p)
	if lines := out.lines(); !strings.HasPrefix(lines[64], `level=DEBUG msg="more log lines were dropped"`) {
		t.Errorf("the note about debug lines is %s", lines[64])
	}
}

func TestLogIsBoundedPerCallback(t *testing.T) {
	logger, out := newLogger()
	p := load(t, fault(t, "imports"), plugins.Config{Logger: logger})
	for range 2 {
		order{args: [4]uint32{1, addrText, 2}, text: "hi", times: 100}.run(t, p)
		got := out.lines()
		if len(got) != 65 || !strings.Contains(got[64], `msg="more log lines were dropped" plugin=chat src=guest dropped=36`) {
			t.Errorf("%d lines, the last %s", len(got), got[len(got)-1])
		}
	}
}

// write orders the imports guest to write text to a file descriptor.
func write(fd uint32, text string, times uint16) order {
	iovec := binary.LittleEndian.AppendUint32(nil, addrText+8)
	iovec = binary.LittleEndian.AppendUint32(iovec, uint32(len(text)))
	return order{fn: fnWrite, args: [4]uint32{fd, addrText, 1, addrOut}, text: string(iovec) + text, times: times}
}

func TestStandardOutputBecomesLogLines(t *testing.T) {
	logger, out := newLogger()
	p := load(t, fault(t, "imports"), plugins.Config{Logger: logger})
	tail := " plugin=chat src=guest callback=handle_in"
	for _, tt := range []struct {
		o    order
		want []string
	}{
		{write(1, "one\n\ntwo\r\n", 1), []string{"level=INFO msg=one", "level=INFO msg=two"}},
		{write(2, "no end", 1), []string{`level=WARN msg="no end"`}},
		{write(1, "ab\nc", 3), []string{"level=INFO msg=ab", "level=INFO msg=cab", "level=INFO msg=cab", "level=INFO msg=c"}},
		{write(1, "\xff\n", 1), []string{"level=INFO msg=\"\uFFFD\""}},
		{write(1, strings.Repeat("y", 700), 2), []string{"level=INFO msg=" + strings.Repeat("y", 1024)}},
	} {
		if errno, _ := tt.o.run(t, p); errno != 0 {
			t.Errorf("errno %d", errno)
		}
		got := out.lines()
		if len(got) != len(tt.want) {
			t.Fatalf("logged %q, want %q", got, tt.want)
		}
		for i := range got {
			if got[i] != tt.want[i]+tail {
				t.Errorf("logged %s, want %s", got[i], tt.want[i])
			}
		}
	}
	if errno, _ := write(3, "x", 1).run(t, p); errno != 8 {
		t.Errorf("write to 3: errno %d", errno)
	}
}

func TestTrapCarriesLastWords(t *testing.T) {
	p := load(t, fault(t, "imports"), plugins.Config{})
	for text, want := range map[string]string{
		"first\nlast\n":                "last; unreachable (handle_in)",
		"fatal error: out of memory\n": "fatal error: out of memory; the module may have at most 16 MiB (plugin.memory); unreachable (handle_in)",
		"panic: boom\n\ngoroutine 1:\n" + strings.Repeat("frame\n", 30): "panic: boom; unreachable (handle_in)",
		"thread 'main' panicked at src/lib.rs:3:5:\nboom\n":             "thread 'main' panicked at src/lib.rs:3:5: boom; unreachable (handle_in)",
	} {
		o := write(2, text, 1)
		o.trap = true
		_, err := handle(p, abi.CallbackHandleIn, o.payload())
		var call *plugins.CallError
		if !errors.As(err, &call) || call.Message != want {
			t.Fatalf("message is %v, want %s", err, want)
		}
		if n := strings.Count(call.Stderr, "\n"); n > 15 || call.Stderr == "" {
			t.Errorf("%d lines of stderr are kept", n+1)
		}
		// The next call must not inherit them.
		quiet := order{trap: true}
		if _, err := handle(p, abi.CallbackHandleIn, quiet.payload()); !strings.HasSuffix(err.Error(), "trap: unreachable (handle_in)") {
			t.Error(err)
		}
	}
}
