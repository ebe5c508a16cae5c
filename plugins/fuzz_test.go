package plugins_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// FuzzResponsePointer lets the fuzzer choose what a guest returns, address and
// length, and which bytes lie at 131072, through a real instance.
func FuzzResponsePointer(f *testing.F) {
	const at = 131072
	good := abi.AppendResponse(nil, &abi.Response{
		Result: abi.ResultReply, Payload: []byte(`{"a":1}`), HasState: true, State: []byte("state"),
		Effects: []abi.Effect{
			{Kind: abi.EffectPush, Event: []byte("e"), Payload: []byte("{}")},
			{Kind: abi.EffectBroadcast, Topic: []byte("t"), Event: []byte("e")},
		},
	})
	f.Add(uint32(at), uint32(len(good)), good)
	f.Add(uint32(at), uint32(len(good)-1), good)
	f.Add(uint32(0), uint32(0), []byte{})
	f.Add(uint32(4*65536), uint32(0), []byte{})
	f.Add(uint32(0xffffffff), uint32(0xffffffff), []byte{})
	f.Add(uint32(0xffffff00), uint32(0x200), []byte{})
	f.Add(uint32(65536), uint32(136), []byte{})
	p := load(f, fault(f, "raw"), plugins.Config{Instances: 1})
	var buf []byte
	f.Fuzz(func(t *testing.T, ptr, n uint32, block []byte) {
		if len(block) > 60<<10 {
			return
		}
		payload := binary.LittleEndian.AppendUint64(nil, uint64(ptr)<<32|uint64(n))
		payload = append(payload, block...)
		var resp abi.Response
		var err error
		req := abi.Request{Callback: abi.CallbackHandleIn, Binary: true, Payload: payload}
		buf, err = p.Handle(&req, buf, &resp)
		checkFuzzed(t, uint64(ptr)+uint64(n), err, &resp)
		if ptr == at && int(n) == len(block) && (err == nil) != decodes(block) {
			t.Errorf("Handle says %v, but the bytes decode: %t", err, err != nil)
		}
		mustHandle(t, p, abi.CallbackJoin, "")
	})
}

// checkFuzzed holds what must be true whatever a guest answers.
func checkFuzzed(t *testing.T, end uint64, err error, resp *abi.Response) {
	t.Helper()
	const memory = 4 * 65536
	if err == nil {
		if end > memory {
			t.Errorf("a response that ends at %d was accepted", end)
		}
		return
	}
	var call *plugins.CallError
	if !errors.As(err, &call) {
		t.Fatalf("error is %T", err)
	}
	want := plugins.KindBadResponse
	if end > memory {
		want = plugins.KindBadPointer
	}
	if call.Kind != want {
		t.Errorf("error is %v, want a %v", err, want)
	}
	if resp.Payload != nil || resp.State != nil || len(resp.Effects) != 0 {
		t.Error("a refused response was left filled")
	}
}

func decodes(block []byte) bool {
	var resp abi.Response
	return abi.DecodeResponse(block, abi.DefaultLimits(), &resp) == nil && resp.Check(abi.CallbackHandleIn) == nil
}
