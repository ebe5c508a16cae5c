package plugins_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// BenchmarkSandbox is one whole callback, an echo of 100 bytes of JSON: the request written,
// the export called, the response copied, decoded and checked. By language of the guest:
//
//	plain      as wazero runs it, with no bound on anything
//	fuel       with its meters; what a callback leaves in memory stays there
//	pristine   with meters, and put back after each callback: what plugins do
//
// And native is the same work in Go, without a guest.
func BenchmarkSandbox(b *testing.B) {
	b.Run("native", benchNative)
	for _, lang := range []string{"wat", "c", "rust", "go", "go-sdk"} {
		wasm := echoGuest(b, lang)
		b.Run(lang+"/plain", func(b *testing.B) {
			p, err := plugins.LoadPlain(wasm)
			if err != nil {
				b.Fatal(err)
			}
			defer closePlugin(b, p)
			benchCallback(b, p)
		})
		b.Run(lang+"/fuel", func(b *testing.B) {
			benchCallback(b, load(b, wasm, plugins.Config{Instances: 1, Isolation: plugins.IsolateInstance}))
		})
		b.Run(lang+"/pristine", func(b *testing.B) {
			benchCallback(b, load(b, wasm, plugins.Config{Instances: 1, Isolation: plugins.IsolateReset}))
		})
	}
}

// echoGuest returns a module in some language that echoes.
func echoGuest(tb testing.TB, lang string) []byte {
	tb.Helper()
	file := map[string]string{
		"c": "testdata/guests/echo_c/echo.wasm", "rust": "testdata/guests/echo_rust/echo.wasm",
		"go-sdk": "../examples/bench/guest/bench.wasm",
	}[lang]
	switch lang {
	case "wat":
		return fault(tb, "echo")
	case "go":
		return goGuest(tb, "plain")
	}
	wasm, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		tb.Fatal(err)
	}
	return wasm
}

func sandboxRequest() *abi.Request {
	return &abi.Request{
		Callback: abi.CallbackHandleIn, SocketID: []byte("0123456789ABCDEF"), Topic: []byte("room:lobby"),
		Event: []byte("echo"), Ref: []byte("7"), JoinRef: []byte("3"),
		Payload: []byte(`{"text":"` + strings.Repeat("x", 89) + `"}`),
	}
}

func benchCallback(b *testing.B, p *plugins.Plugin) {
	b.Helper()
	req := sandboxRequest()
	var resp abi.Response
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = p.Handle(req, buf, &resp); err != nil {
			b.Fatal(err)
		}
	}
	if string(resp.Payload) != string(req.Payload) {
		b.Fatalf("echo is %s", resp.Payload)
	}
}

func benchNative(b *testing.B) {
	req := sandboxRequest()
	var in abi.Request
	var out, resp abi.Response
	var memory, buf []byte
	b.ReportAllocs()
	for b.Loop() {
		memory = abi.AppendRequest(memory[:0], req)
		if err := abi.DecodeRequest(memory, &in); err != nil {
			b.Fatal(err)
		}
		out.Reset()
		out.Result, out.Payload = abi.ResultReply, in.Payload
		buf = abi.AppendResponse(buf[:0], &out)
		if err := abi.DecodeResponse(buf, abi.DefaultLimits(), &resp); err != nil {
			b.Fatal(err)
		}
		if err := resp.Check(abi.CallbackHandleIn); err != nil {
			b.Fatal(err)
		}
	}
}

// TestEchoGuests holds that what the benchmark compares does the same.
func TestEchoGuests(t *testing.T) {
	for _, lang := range []string{"wat", "c", "rust", "go", "go-sdk"} {
		p := load(t, echoGuest(t, lang), plugins.Config{Instances: 1, Isolation: plugins.IsolateReset})
		req := sandboxRequest()
		var resp abi.Response
		var buf []byte
		for range 3 {
			var err error
			if buf, err = p.Handle(req, buf, &resp); err != nil || string(resp.Payload) != string(req.Payload) {
				t.Errorf("%s: echo is %s: %v", lang, resp.Payload, err)
			}
		}
		if raceEnabled {
			continue
		}
		if n := testing.AllocsPerRun(100, func() { buf, _ = p.Handle(req, buf, &resp) }); n != 0 {
			t.Errorf("%s: %v allocations", lang, n)
		}
	}
}
