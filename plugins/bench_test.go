package plugins_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{100, 1 << 10, 16 << 10} {
		b.Run(fmt.Sprintf("wat/%d", size), func(b *testing.B) { benchEcho(b, fault(b, "echo"), size) })
	}
	b.Run("go/100", func(b *testing.B) { benchEcho(b, goGuest(b, "plain"), 100) })
}

func echoRequest(size int) *abi.Request {
	return &abi.Request{
		Callback: abi.CallbackHandleIn, SocketID: []byte("0123456789ABCDEF"), Topic: []byte("room:lobby"),
		Event: []byte("new_msg"), Ref: []byte("7"), JoinRef: []byte("3"), Binary: true, Payload: make([]byte, size),
	}
}

func benchEcho(b *testing.B, wasm []byte, size int) {
	p := load(b, wasm, plugins.Config{})
	req := echoRequest(size)
	var resp abi.Response
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = p.Handle(req, buf, &resp); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEchoParallel has as many callers as instances, and four times as
// many.
func BenchmarkEchoParallel(b *testing.B) {
	for _, callers := range []int{1, 4} {
		b.Run(fmt.Sprintf("%dx", callers), func(b *testing.B) {
			p := load(b, fault(b, "echo"), plugins.Config{})
			b.SetParallelism(callers)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				req := echoRequest(100)
				var resp abi.Response
				var buf []byte
				for pb.Next() {
					var err error
					if buf, err = p.Handle(req, buf, &resp); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkTrap measures what a trap costs: the call, and a new instance.
func BenchmarkTrap(b *testing.B) {
	p := load(b, fault(b, "counter"), plugins.Config{Instances: 1})
	req := &abi.Request{Callback: abi.CallbackHandleIn, Payload: []byte("!")}
	var resp abi.Response
	for b.Loop() {
		if _, err := p.Handle(req, nil, &resp); err == nil {
			b.Fatal("no trap")
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	run := func(b *testing.B, wasm []byte) {
		for b.Loop() {
			p, err := plugins.Load(context.Background(), wasm, plugins.Config{})
			if err != nil {
				b.Fatal(err)
			}
			closePlugin(b, p)
		}
	}
	b.Run("wat", func(b *testing.B) { run(b, fault(b, "echo")) })
	b.Run("go", func(b *testing.B) { run(b, goGuest(b, "plain")) })
}
