package abi_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

var update = flag.Bool("update", false, "rewrite the hex of testdata/vectors.json")

const vectorsFile = "testdata/vectors.json"

// vector is one entry of testdata/vectors.json. Byte fields are texts, or hex
// digits after "hex:". Absent fields are zero.
type vector struct {
	Name     string          `json:"name"`
	Request  *requestVector  `json:"request,omitempty"`
	Response *responseVector `json:"response,omitempty"`
	Hex      string          `json:"hex"`
}

type field string

func (f field) bytes(t *testing.T) []byte {
	t.Helper()
	digits, isHex := strings.CutPrefix(string(f), "hex:")
	if !isHex {
		if f == "" {
			return nil
		}
		return []byte(f)
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type requestVector struct {
	Callback     uint8  `json:"callback"`
	Binary       bool   `json:"binary,omitempty"`
	Reason       uint32 `json:"reason,omitempty"`
	TimeMS       int64  `json:"time_ms,omitempty"`
	Seed         field  `json:"seed,omitempty"`
	StateVersion uint32 `json:"state_version,omitempty"`
	Transport    uint32 `json:"transport,omitempty"`
	SocketID     field  `json:"socket_id,omitempty"`
	Topic        field  `json:"topic,omitempty"`
	Event        field  `json:"event,omitempty"`
	Ref          field  `json:"ref,omitempty"`
	JoinRef      field  `json:"join_ref,omitempty"`
	Payload      field  `json:"payload,omitempty"`
	State        field  `json:"state,omitempty"`
	IDTopic      field  `json:"id_topic,omitempty"`
	Params       field  `json:"params,omitempty"`
	Headers      field  `json:"headers,omitempty"`
	Config       field  `json:"config,omitempty"`
	Source       field  `json:"source,omitempty"`
}

func (v *requestVector) request(t *testing.T) *abi.Request {
	t.Helper()
	r := &abi.Request{
		Callback: abi.Callback(v.Callback), Binary: v.Binary, Reason: v.Reason,
		TimeMS: v.TimeMS, StateVersion: v.StateVersion, Transport: abi.Transport(v.Transport),
		SocketID: v.SocketID.bytes(t), Topic: v.Topic.bytes(t), Event: v.Event.bytes(t),
		Ref: v.Ref.bytes(t), JoinRef: v.JoinRef.bytes(t), Payload: v.Payload.bytes(t),
		State: v.State.bytes(t), IDTopic: v.IDTopic.bytes(t), Params: v.Params.bytes(t),
		Headers: v.Headers.bytes(t), Config: v.Config.bytes(t), Source: v.Source.bytes(t),
	}
	copy(r.Seed[:], v.Seed.bytes(t))
	return r
}

type responseVector struct {
	Result       uint8          `json:"result"`
	Binary       bool           `json:"binary,omitempty"`
	Number       uint32         `json:"number,omitempty"`
	Payload      field          `json:"payload,omitempty"`
	Event        field          `json:"event,omitempty"`
	Text         field          `json:"text,omitempty"`
	IDTopic      field          `json:"id_topic,omitempty"`
	HasState     bool           `json:"has_state,omitempty"`
	State        field          `json:"state,omitempty"`
	StateVersion uint32         `json:"state_version,omitempty"`
	Effects      []effectVector `json:"effects,omitempty"`
}

type effectVector struct {
	Kind    uint16 `json:"kind"`
	Binary  bool   `json:"binary,omitempty"`
	Local   bool   `json:"local,omitempty"`
	Off     bool   `json:"off,omitempty"`
	Number  uint32 `json:"number,omitempty"`
	Value   int64  `json:"value,omitempty"`
	Topic   field  `json:"topic,omitempty"`
	Event   field  `json:"event,omitempty"`
	Payload field  `json:"payload,omitempty"`
	Key     field  `json:"key,omitempty"`
}

func (v *responseVector) response(t *testing.T) *abi.Response {
	t.Helper()
	r := &abi.Response{
		Result: abi.Result(v.Result), Binary: v.Binary, Number: v.Number,
		Payload: v.Payload.bytes(t), Event: v.Event.bytes(t), Text: v.Text.bytes(t),
		IDTopic: v.IDTopic.bytes(t), HasState: v.HasState, State: v.State.bytes(t),
		StateVersion: v.StateVersion,
	}
	for _, e := range v.Effects {
		r.Effects = append(r.Effects, abi.Effect{
			Kind: abi.EffectKind(e.Kind), Binary: e.Binary, Local: e.Local, Off: e.Off,
			Number: e.Number, Value: e.Value, Topic: e.Topic.bytes(t),
			Event: e.Event.bytes(t), Payload: e.Payload.bytes(t), Key: e.Key.bytes(t),
		})
	}
	return r
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&vs); err != nil {
		t.Fatal(err)
	}
	return vs
}

func TestGoldenVectors(t *testing.T) {
	vs := readVectors(t)
	for i := range vs {
		v := &vs[i]
		t.Run(v.Name, func(t *testing.T) {
			if v.Request != nil {
				checkRequestVector(t, v)
			} else {
				checkResponseVector(t, v)
			}
		})
	}
	if *update {
		text, err := json.MarshalIndent(vs, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func checkRequestVector(t *testing.T, v *vector) {
	t.Helper()
	want := v.Request.request(t)
	got := abi.AppendRequest(nil, want)
	if len(got) != want.Size() {
		t.Errorf("Size() = %d, encoded %d bytes", want.Size(), len(got))
	}
	checkHex(t, v, got)
	var back abi.Request
	if err := abi.DecodeRequest(got, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&back, want) {
		t.Errorf("decoded\n%+v\nwant\n%+v", back, want)
	}
}

func checkResponseVector(t *testing.T, v *vector) {
	t.Helper()
	want := v.Response.response(t)
	got := abi.AppendResponse(nil, want)
	if len(got) != want.Size() {
		t.Errorf("Size() = %d, encoded %d bytes", want.Size(), len(got))
	}
	checkHex(t, v, got)
	var back abi.Response
	if err := abi.DecodeResponse(got, abi.DefaultLimits(), &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&back, want) {
		t.Errorf("decoded\n%+v\nwant\n%+v", back, want)
	}
}

func checkHex(t *testing.T, v *vector, got []byte) {
	t.Helper()
	digits := hex.EncodeToString(got)
	if *update {
		v.Hex = digits
	} else if digits != v.Hex {
		t.Errorf("encoded\n%s\nwant\n%s", digits, v.Hex)
	}
}
