package traps

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

const golden = `{
	"format": 1,
	"time": "2026-01-02T12:00:00.000000005Z",
	"plugin": "chat",
	"module": "abababababababababababababababababababababababababababababababab",
	"generation": 0,
	"callback": "join",
	"kind": "fuel",
	"message": "over its fuel",
	"stack": "spin()\njoin()",
	"stderr": "oh",
	"seed": "01020000000000000000000000000000",
	"limits": {
		"fuel": 10,
		"fuel_slice": 5,
		"deadline_ns": 1000000000,
		"stack": 1,
		"memory": 2,
		"response": 3,
		"state": 4,
		"effects": 5,
		"output": 6
	},
	"sizes": {
		"request": 175,
		"payload": 2,
		"state": 5,
		"params": 2,
		"headers": 7,
		"config": 16
	},
	"skipped": 0,
	"replayable": true,
	"why": "",
	"request": "REQUEST"
}
`

func mustRecord(t testing.TB, payload int, payloads bool) *Record {
	t.Helper()
	r, err := newRecord(newTrap(payload), payloads)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustEncode(t testing.TB, r *Record) []byte {
	t.Helper()
	text, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRecordAsAFile(t *testing.T) {
	r := mustRecord(t, 2, true)
	text := mustEncode(t, r)
	quoted, err := json.Marshal(r.Request)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(golden, `"REQUEST"`, string(quoted), 1); string(text) != want {
		t.Errorf("the file is\n%s\nwant\n%s", text, want)
	}
	back, err := Decode(text)
	if err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("%v: read back as %+v, want %+v", err, back, r)
	}
	if !bytes.Equal(r.Request, newTrap(2).Request) {
		t.Error("the request is not what the guest was given")
	}
}

// TestPayloadsAreLeftOut: nothing that a user has sent or an operator keeps secret is
// in the file, and its sizes are.
func TestPayloadsAreLeftOut(t *testing.T) {
	r := mustRecord(t, 3000, false)
	full := mustRecord(t, 3000, true)
	if r.Replayable || r.Why != leftOut || r.Sizes != full.Sizes || r.Sizes.Payload != 3000 {
		t.Errorf("record %+v", r)
	}
	var req abi.Request
	if err := abi.DecodeRequest(r.Request, &req); err != nil {
		t.Fatal(err)
	}
	if len(req.Payload)+len(req.State)+len(req.Params)+len(req.Headers)+len(req.Config) > 0 || string(req.Topic) != "room:1" {
		t.Errorf("request %+v", req)
	}
	for _, word := range []string{"ppp", "secret", `"a":1`} {
		if bytes.Contains(r.Request, []byte(word)) {
			t.Errorf("the request has %s", word)
		}
	}
	if _, err := Decode(mustEncode(t, r)); err != nil {
		t.Error(err)
	}
}

func TestLongRequestsAreCutOff(t *testing.T) {
	r := mustRecord(t, 2<<20, true)
	if r.Replayable || r.Why != cutOff || len(r.Request) != MaxRequest || r.Sizes.Payload != 2<<20 {
		t.Errorf("replayable: %t, %s, %d bytes, sizes %+v", r.Replayable, r.Why, len(r.Request), r.Sizes)
	}
	text := mustEncode(t, r)
	if _, err := Decode(text); err != nil || len(text) > MaxSize {
		t.Errorf("%v, %d bytes", err, len(text))
	}
}

func TestDecodeRefuses(t *testing.T) {
	text := string(mustEncode(t, mustRecord(t, 2, true)))
	for _, tt := range []struct{ name, old, with, want string }{
		{"nothing", text, "", "EOF"},
		{"no object", text, "[]", "cannot unmarshal array"},
		{"unknown key", `"format"`, `"x": 1, "format"`, `unknown field "x"`},
		{"more", "}\n", "}\n{}", "something follows the object"},
		{"format", `"format": 1`, `"format": 2`, "format 2, this is version 1"},
		{"plugin", `"chat"`, `""`, "plugin is missing"},
		{"module", `"abab`, `"ABab`, `is not a SHA-256 in hexadecimal digits`},
		{"seed", `"0102`, `"01`, "is not 16 bytes in hexadecimal digits"},
		{"another seed", `"0102`, `"0103`, "the seed is not the request's"},
		{"callback", `"join"`, `"jion"`, `callback "jion" is unknown`},
		{"another callback", `"join"`, `"handle_in"`, "a request for join, and the callback is handle_in"},
		{"kind", `"fuel",`, `"error?",`, `kind "error?" is unknown`},
		{"time", `"2026-01`, `"2026-13`, "month out of range"},
		{"negative", `"generation": 0`, `"generation": -1`, "a number is negative"},
		{"size", `"request": 175`, `"request": 174`, "a request of 175 bytes, and its size is 174"},
		{"replayable with a why", `"why": ""`, `"why": "x"`, "it is replayable, and says why it is not"},
		{"not replayable without a why", `"replayable": true`, `"replayable": false`, "it is not replayable, and does not say why"},
		{"request", `"request": "`, `"request": "AAAA`, "request: header_size"},
		{"too large", text, strings.Repeat(" ", MaxSize+1), "4194305 bytes, at most 4194304"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode([]byte(strings.Replace(text, tt.old, tt.with, 1)))
			if !errors.Is(err, ErrRecord) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// FuzzDecode: what is taken for a record is one, and stays the same.
func FuzzDecode(f *testing.F) {
	for _, payloads := range []bool{true, false} {
		f.Add(mustEncode(f, mustRecord(f, 2, payloads)))
	}
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := Decode(file)
		if err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Errorf("error %v", err)
			}
			return
		}
		again, err := Decode(mustEncode(t, r))
		if err != nil {
			t.Fatalf("%v: written anew it is refused", err)
		}
		if again.Time.Equal(r.Time) {
			again.Time = r.Time // in another zone
		}
		if len(r.Request) == 0 {
			again.Request = r.Request
		}
		if !reflect.DeepEqual(r, again) {
			t.Errorf("read as %+v, then as %+v", r, again)
		}
	})
}
