package plugins_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

func TestHammerWithTraps(t *testing.T) {
	const callers, rounds = 12, 400
	p := load(t, fault(t, "counter"), plugins.Config{Instances: 3})
	var wg sync.WaitGroup
	for g := range callers {
		wg.Go(func() {
			var resp abi.Response
			var buf []byte
			for i := range rounds {
				req := abi.Request{Callback: abi.CallbackHandleIn, Payload: []byte("go")}
				trap := (i+g)%50 == 0
				if trap {
					req.Payload = []byte("!")
				}
				var err error
				buf, err = p.Handle(&req, buf, &resp)
				if (err != nil) != trap || err == nil && len(resp.Payload) != 1 {
					t.Errorf("trap %t: %v %q", trap, err, resp.Payload)
				}
			}
		})
	}
	wg.Wait()
	if n := p.Live(); n > 3 {
		t.Errorf("%d instances exist", n)
	}
}

func TestEveryCallerGetsItsOwnAnswer(t *testing.T) {
	p := load(t, fault(t, "echo"), plugins.Config{Instances: 2})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			var resp abi.Response
			var buf []byte
			for i := range 300 {
				want := fmt.Sprintf(`{"from":%d,"n":%d}`, g, i)
				var err error
				buf, err = p.Handle(&abi.Request{Callback: abi.CallbackHandleIn, Payload: []byte(want)}, buf, &resp)
				if err != nil || string(resp.Payload) != want {
					t.Errorf("%v %s, want %s", err, resp.Payload, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestCloseDuringCalls(t *testing.T) {
	for range 20 {
		p := load(t, fault(t, "counter"), plugins.Config{Instances: 2})
		var wg sync.WaitGroup
		var begun sync.WaitGroup
		for range 6 {
			begun.Add(1)
			wg.Go(func() { callUntilClosed(t, p, begun.Done) })
		}
		begun.Wait()
		for range 2 {
			wg.Go(func() { closePlugin(t, p) })
		}
		wg.Wait()
	}
}

func callUntilClosed(t *testing.T, p *plugins.Plugin, begun func()) {
	for i := 0; ; i++ {
		payload := "go"
		if i%10 == 9 {
			payload = "!"
		}
		_, err := handle(p, abi.CallbackHandleIn, payload)
		if i == 0 {
			begun()
		}
		var call *plugins.CallError
		switch {
		case errors.Is(err, plugins.ErrClosed):
			return
		case err != nil && !errors.As(err, &call):
			t.Error(err)
			return
		}
	}
}

func TestCloseWaitsForRunningCall(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	p := load(t, fault(t, "imports"), plugins.Config{
		Instances: 1,
		Presence: func(dst []byte, _ string) []byte {
			close(entered)
			<-leave
			return append(dst, "{}"...)
		},
	})
	result := make(chan error, 2)
	go func() {
		_, err := handle(p, abi.CallbackHandleIn, order{fn: fnPresenceList, args: [4]uint32{0, 0, addrOut, 64}}.payload())
		result <- err
	}()
	<-entered
	closed := make(chan error, 1)
	go func() { closed <- p.Close() }()
	// The one instance is busy, so this returns only because of Close.
	if _, err := handle(p, abi.CallbackJoin, ""); !errors.Is(err, plugins.ErrClosed) {
		t.Error(err)
	}
	select {
	case err := <-closed:
		t.Error("Close did not wait:", err)
	default:
	}
	close(leave)
	if err := <-result; err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error("the second Close: ", err)
	}
	if _, err := handle(p, abi.CallbackJoin, ""); !errors.Is(err, plugins.ErrClosed) || err.Error() != "plugin chat: plugin is closed" {
		t.Error(err)
	}
}

func TestHandleDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	p := load(t, fault(t, "echo"), plugins.Config{})
	req := abi.Request{Callback: abi.CallbackHandleIn, Topic: []byte("room:1"), Event: []byte("msg"), Payload: make([]byte, 100)}
	var resp abi.Response
	buf := make([]byte, 0, 1024)
	allocs := testing.AllocsPerRun(1000, func() {
		var err error
		if buf, err = p.Handle(&req, buf, &resp); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per call", allocs)
	}
}
