package play_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/cmd/aviary/play"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/traps"
)

// record runs a callback that fails, and returns its record.
func record(t *testing.T, req *abi.Request, payloads bool) *traps.Record {
	t.Helper()
	store, err := traps.Open(traps.Config{Dir: filepath.Join(t.TempDir(), "traps")})
	if err != nil {
		t.Fatal(err)
	}
	var file string
	keep := store.Keeper(payloads)
	m := load(t, "panic_import", plugins.Config{Name: "cup", OnTrap: func(trap *plugins.Trap) {
		keep(trap)
		file = trap.File
	}})
	if o := m.Run(req); o.Err == nil || file == "" {
		t.Fatalf("it did not fail, or was not recorded: %+v", o)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := traps.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFromRecord: a record becomes a case that runs the same request, also after it was
// written to a file and read again.
func TestFromRecord(t *testing.T) {
	req := &abi.Request{
		Callback: abi.CallbackHandleIn, TimeMS: 42, Seed: [16]byte{1, 15: 255}, Transport: abi.TransportLongPoll, SocketID: []byte("s"),
		Topic: []byte("room:1"), Event: []byte("pour"), Ref: []byte(`"9"`), JoinRef: []byte(`"8"`), Payload: []byte(`{"a":"<&>"}`),
		State: []byte(`{"n":1}`), StateVersion: 3, IDTopic: []byte("users:1"),
	}
	r := record(t, req, true)
	c, again, err := play.FromRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	if string(abi.AppendRequest(nil, again)) != string(abi.AppendRequest(nil, req)) {
		t.Errorf("the request is %+v", again)
	}
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	c = parse(t, string(text))
	if !strings.Contains(string(text), `"a": "<&>"`) || !strings.Contains(c.About, "panic: the cup is too full (src/cup.c:42)") {
		t.Errorf("the case is\n%s", text)
	}
	m := load(t, "panic_import", play.Limits(r))
	var got string
	m2 := load(t, "panic_import", plugins.Config{OnTrap: func(trap *plugins.Trap) {
		var sent abi.Request
		if err := abi.DecodeRequest(trap.Request, &sent); err != nil {
			t.Error(err)
		}
		sent.Payload = []byte(strings.Join(strings.Fields(string(sent.Payload)), "")) // a file shows it with spaces
		sent.Payload = []byte(strings.ReplaceAll(string(sent.Payload), ": ", ":"))
		got = string(abi.AppendRequest(nil, &sent))
	}})
	if played := m.Play(c); len(played) != 1 || !strings.Contains(played[0].Problem, "too full") {
		t.Errorf("it does not fail again: %+v", played)
	}
	if m2.Play(c); got != string(abi.AppendRequest(nil, req)) {
		t.Errorf("the case makes another request: %q", got)
	}
}

// TestFromRecordOthers: each callback has its own fields.
func TestFromRecordOthers(t *testing.T) {
	for _, req := range []*abi.Request{
		{Callback: abi.CallbackHandleInfo, Reason: uint32(abi.InfoTimer), Event: []byte("e"), Source: []byte("key"), Binary: true, Payload: []byte{0, 1}},
		{Callback: abi.CallbackHandleIn, Event: []byte("e"), State: []byte{0xff}},
	} {
		r := record(t, &abi.Request{Callback: abi.CallbackHandleIn, Event: []byte("e")}, true)
		r.Request = abi.AppendRequest(nil, req)
		c, _, err := play.FromRecord(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		c = parse(t, string(text))
		s := c.Steps[0]
		if s.Callback != req.Callback.String() || string(s.Bytes) != string(req.Payload) || s.Ref != "none" || string(c.StateBytes) != string(req.State) ||
			(req.Reason != 0) != (s.Reason == "timer") || s.Source != string(req.Source) {
			t.Errorf("the case is\n%s", text)
		}
	}
}

func TestFromRecordRefuses(t *testing.T) {
	r := record(t, &abi.Request{Callback: abi.CallbackHandleIn, Event: []byte("e")}, false)
	if _, _, err := play.FromRecord(r); !errors.Is(err, play.ErrCase) || !strings.Contains(err.Error(), "it cannot be run again: ") {
		t.Errorf("got %v", err)
	}
}
