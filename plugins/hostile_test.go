package plugins_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/hostile"
	"github.com/aviary-host/aviary/plugins/image"
)

// The guests of testdata/hostile, without a server. What others notice of them is in
// cmd/aviary/app/hostile_test.go.

// measuring tells that times are looked at: see make hostile.
func measuring() bool { return os.Getenv("AVIARY_HOSTILE") == "measure" && !raceEnabled }

func hostiles(t *testing.T) []hostile.Attack {
	t.Helper()
	all, err := hostile.Corpus("testdata/hostile")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func hostileGuest(t *testing.T, name string) []byte {
	t.Helper()
	for _, a := range hostiles(t) {
		if a.Name == name {
			return a.Wasm
		}
	}
	t.Fatalf("no guest %s", name)
	return nil
}

// TestHostileAlternately: an attack ends as README.md says and costs one callback, as often
// as it is made; each good callback between them is right.
func TestHostileAlternately(t *testing.T) {
	for _, a := range hostiles(t) {
		if a.AtLoad {
			continue
		}
		t.Run(a.Name, func(t *testing.T) {
			p := load(t, a.Wasm, plugins.Config{Instances: 1, Fuel: 10_000_000, Deadline: time.Minute})
			for range 4 {
				var resp abi.Response
				_, err := p.Handle(attackRequest(a.Name), nil, &resp)
				switch {
				case a.Error == "" || a.ByHost:
					if err != nil {
						t.Fatal(err)
					}
				case err == nil || !strings.HasPrefix(err.Error(), "plugin chat: handle_in: "+a.Error):
					t.Fatalf("error is\n%v\nwant\n%s", err, a.Error)
				case p.Live() != kept(p):
					t.Errorf("%d instances are left", p.Live())
				}
				if got := mustHandle(t, p, abi.CallbackHandleIn, `{"good":true}`); got != `{"good":true}` {
					t.Fatalf("the next one answers %q", got)
				}
			}
		})
	}
}

func attackRequest(name string) *abi.Request {
	req := &abi.Request{Callback: abi.CallbackHandleIn, Event: []byte("attack"), Topic: []byte("room:1"), Payload: []byte(`{"a":1}`)}
	if name == "alloc_later_loop" {
		req.Payload = make([]byte, 100_000)
	}
	return req
}

// TestHostileCallbacks: what attacks in another callback than handle_in.
func TestHostileCallbacks(t *testing.T) {
	for name, c := range map[string]abi.Callback{
		"code_change_loop": abi.CallbackCodeChange, "terminate_loop": abi.CallbackTerminate, "connect_loop": abi.CallbackConnect,
	} {
		p := load(t, hostileGuest(t, name), plugins.Config{Instances: 1, Fuel: 1_000_000, Deadline: time.Minute})
		for range 2 {
			_, err := handle(p, c, "")
			want := "plugin chat: " + c.String() + ": fuel: over its fuel of 1000000 (plugin.fuel), in " + c.String()
			if !errors.Is(err, plugins.ErrFuel) || err.Error() != want {
				t.Errorf("error is\n%v\nwant\n%s", err, want)
			}
			mustHandle(t, p, abi.CallbackHandleIn, "1")
		}
	}
}

// kept returns how many instances there are after a failure, of one: those that cannot be
// put back are thrown away.
func kept(p *plugins.Plugin) int {
	if _, whyNot := p.Reset(); whyNot != "" {
		return 0
	}
	return 1
}

// TestNoSecretIsFoundAgain: a guest that keeps what it is sent finds none of it in the next callback.
func TestNoSecretIsFoundAgain(t *testing.T) {
	for _, method := range resetMethods() {
		t.Run(method.String(), func(t *testing.T) { findSecret(t, method) })
	}
}

func findSecret(t *testing.T, method image.Method) {
	t.Helper()
	p := load(t, hostileGuest(t, "secret"), plugins.Config{Instances: 1, Reset: method})
	const secret = "my password is swordfish"
	var found string
	for range 3 {
		var resp abi.Response
		req := &abi.Request{Callback: abi.CallbackHandleIn, Event: []byte("attack"), Payload: []byte(secret)}
		if _, err := p.Handle(req, nil, &resp); err != nil {
			t.Fatal(err)
		}
		found = string(resp.Payload)
	}
	clean := strings.Trim(found[:len(found)-4], "\x00") == "" && binary.LittleEndian.Uint32([]byte(found[len(found)-4:])) == 4
	if !clean {
		t.Errorf("it finds %q", strings.Trim(found, "\x00"))
	}
}

// TestHostileArguments calls host functions with one in five combinations of addresses and lengths
// that are nowhere, negative, misaligned, at the end, past it, or add up to more than 32
// bits: a trap or an answer, never a fault of ours.
func TestHostileArguments(t *testing.T) {
	const size = 3 << 16
	edges := []uint32{0, 1, 7, 65536 + 136, size - 8, size - 1, size, size + 1, math.MaxInt32, 1 << 31, math.MaxUint32 - 7, math.MaxUint32}
	p := load(t, fault(t, "imports"), plugins.Config{
		Instances: 1, Deadline: time.Minute, Settings: []byte(`{"a":1}`),
		Presence: func(dst []byte, topic string) []byte { return append(dst, topic[:min(len(topic), 9)]...) },
	})
	kinds := map[plugins.Kind]int{}
	for fn := range byte(4) {
		const prime = 5 // not a divisor of how many there are, so that all values meet
		for i := range len(edges) * len(edges) * len(edges) * len(edges) / prime {
			call := []byte{fn, 0, 1, 0}
			for n := i * prime; len(call) < 20; n /= len(edges) {
				call = binary.LittleEndian.AppendUint32(call, edges[n%len(edges)])
			}
			_, err := handle(p, abi.CallbackHandleIn, string(call))
			var failed *plugins.CallError
			if err != nil && !errors.As(err, &failed) {
				t.Fatal(err)
			}
			kind := plugins.Kind(0)
			if failed != nil {
				kind = failed.Kind
			}
			kinds[kind]++
			switch kind {
			case 0, plugins.KindTrap, plugins.KindFuel:
			default:
				t.Fatalf("call %x: %v", call, err)
			}
		}
	}
	if kinds[0] == 0 || kinds[plugins.KindTrap] == 0 {
		t.Errorf("%v: not both answers and traps", kinds)
	}
}

// TestHostileResponses writes hostile values into every field of a response, and into every
// field of an effect: it is refused in words, or what comes out is within it.
func TestHostileResponses(t *testing.T) {
	p := load(t, fault(t, "raw"), plugins.Config{Instances: 1, Deadline: time.Minute})
	const size = 64 + 2*48 + 32
	edges := []uint32{0, 1, 47, 48, 63, 64, 65, size - 1, size, size + 1, 1 << 16, math.MaxInt32, 1 << 31, math.MaxUint32 - 63, math.MaxUint32}
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	const rounds = 50_000
	for n := range rounds {
		block := goodResponse()
		for range 1 + n%3 {
			at := 4 * random.IntN(len(block)/4)
			binary.LittleEndian.PutUint32(block[at:], edges[random.IntN(len(edges))])
		}
		payload := binary.LittleEndian.AppendUint64(nil, 131072<<32|size)
		var resp abi.Response
		_, err := p.Handle(&abi.Request{Callback: abi.CallbackHandleIn, Payload: append(payload, block...)}, nil, &resp)
		var failed *plugins.CallError
		switch {
		case err == nil:
			checkWithin(t, &resp, size)
		case !errors.As(err, &failed) || failed.Kind != plugins.KindBadResponse || !strings.Contains(failed.Message, "(SPEC "):
			t.Fatalf("%x: %v", block, err)
		default:
			refused++
		}
	}
	if refused < rounds/4 || refused == rounds {
		t.Errorf("%d of %d are refused", refused, rounds)
	}
}

// goodResponse is one of two pushes, with 32 bytes of names behind.
func goodResponse() []byte {
	block := make([]byte, 64, 64+2*48+32)
	block[0], block[12], block[16], block[20] = 64, 48, 64, 2
	for range 2 {
		effect := make([]byte, 48)
		effect[0] = byte(abi.EffectPush)
		effect[24], effect[28] = 64+2*48, 8
		effect[32], effect[36] = 64+2*48+8, 8
		block = append(block, effect...)
	}
	return append(block, "abcdefgh[12,345]abcdefghijklmnop"...)
}

// checkWithin checks that a response says no more than its bytes can hold.
func checkWithin(t *testing.T, r *abi.Response, size int) {
	t.Helper()
	for _, part := range [][]byte{r.Payload, r.Event, r.State, r.IDTopic, r.Text} {
		if len(part) > size {
			t.Fatalf("%d bytes of %d", len(part), size)
		}
	}
	for i := range r.Effects {
		e := &r.Effects[i]
		for _, part := range [][]byte{e.Topic, e.Event, e.Payload, e.Key} {
			if len(part) > size {
				t.Fatalf("effect of %d bytes of %d", len(part), size)
			}
		}
	}
}

// TestHostWorkIsCharged: a host function takes fuel for what it does, also where it then
// finds that there is nothing to do.
func TestHostWorkIsCharged(t *testing.T) {
	const config, write = 1, 3
	lines := strings.Repeat("x\n", 2000)
	pieces := strings.Repeat("\x00", 1024*8)
	for _, tt := range []struct {
		name string
		fn   byte
		args [4]uint32 // addresses are of what is behind the call
		data string
		cost uint64 // at least
	}{
		{"lines", write, [4]uint32{1, 0, 1, 131072}, "\x00\x00\x00\x00" + lines, 2000 * 100},
		{"pieces", write, [4]uint32{1, 0, 1024, 131072}, pieces, 1024 * 20},
		{"a key that is not there", config, [4]uint32{0, 50_000, 0, 0}, strings.Repeat("k", 50_000), 50_000 / 8},
	} {
		const data = 65536 + 136 + 20
		call := []byte{tt.fn, 0, 1, 0}
		for i, arg := range tt.args {
			if i == 1 && tt.fn == write || i == 0 && tt.fn == config {
				arg = data
			}
			call = binary.LittleEndian.AppendUint32(call, arg)
		}
		text := []byte(tt.data)
		if tt.name == "lines" {
			text = append(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, data+8), uint32(len(lines))), lines...)
		}
		for fuel, want := range map[uint64]bool{tt.cost: false, 20 * tt.cost: true} {
			p := load(t, fault(t, "imports"), plugins.Config{Instances: 1, Fuel: fuel, Deadline: time.Minute})
			if _, err := handle(p, abi.CallbackHandleIn, string(append(call, text...))); (err == nil) != want || err != nil && !errors.Is(err, plugins.ErrFuel) {
				t.Errorf("%s with fuel of %d: %v", tt.name, fuel, err)
			}
		}
	}
}

// TestFloatSelect: the answers are right. Where they are not, it is wazero issue 2534.
func TestFloatSelect(t *testing.T) {
	const n = 24
	p := load(t, hostileGuest(t, "float_select"), plugins.Config{Instances: 1})
	wrong := 0
	for range 100 {
		bits := rand.Uint32()
		var resp abi.Response
		req := &abi.Request{Callback: abi.CallbackHandleIn, Event: []byte("attack"), Payload: binary.LittleEndian.AppendUint32(nil, bits)}
		if _, err := p.Handle(req, nil, &resp); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			want := float64(i) + 1.5
			if bits>>i&1 == 0 {
				want = float64((i*7+5)%n) + 1.5
			}
			if got := math.Float64frombits(binary.LittleEndian.Uint64(resp.Payload[8*i:])); got != want {
				wrong++
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d numbers are wrong", wrong, 100*n)
	}
}

// mostStop is how long the collector may wait for guests to stop (99th percentile).
const mostStop = time.Millisecond

// TestCollectorNeverWaits: while guests loop on all instances, the collector gets its work
// done, and, where it is measured, stops the world at once.
func TestCollectorNeverWaits(t *testing.T) {
	for _, name := range []string{"loop", "recursion_exponential", "memory_fill", "memory_copy", "loop_random", "loop_presence", "write_flood"} {
		t.Run(name, func(t *testing.T) {
			p := load(t, hostileGuest(t, name), plugins.Config{Fuel: 1 << 40, Deadline: 200 * time.Millisecond})
			guest := func() {
				var resp abi.Response
				if _, err := p.Handle(attackRequest(name), nil, &resp); !errors.Is(err, plugins.ErrDeadline) {
					t.Errorf("error is %v", err)
				}
			}
			for try := 1; ; try++ {
				wait := collect(guest)
				if !measuring() || wait[99] <= mostStop {
					break
				}
				plain := collect(spin)
				t.Logf("try %d: the collector waited %v (median) and %v (99th percentile), for loops in Go %v and %v",
					try, wait[50], wait[99], plain[50], plain[99])
				if try == 3 {
					t.Errorf("the collector waited %v, at most %v", wait[99], mostStop)
					break
				}
			}
		})
	}
}

// spin does nothing for a while, in Go.
func spin() {
	for n := range 100_000_000 {
		runtime.KeepAlive(n)
	}
}

// collect collects garbage while f runs on each processor, again and again, for a second
// where it is measured, else a few times. It returns percentiles of how long the world took to
// stop.
func collect(f func()) map[int]time.Duration {
	var stop atomic.Bool
	var running sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for !stop.Load() {
				f()
			}
		})
	}
	before, began := stops(), time.Now()
	for n := 0; n < 3 || measuring() && time.Since(began) < time.Second; n++ {
		runtime.GC()
	}
	after := stops()
	stop.Store(true)
	running.Wait()
	return map[int]time.Duration{50: percentile(before, after, 50), 99: percentile(before, after, 99)}
}

// stops returns how long the collector has waited for the world to stop, so far.
func stops() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: "/sched/pauses/stopping/gc:seconds"}}
	metrics.Read(sample)
	h := *sample[0].Value.Float64Histogram()
	h.Counts = append([]uint64(nil), h.Counts...)
	return &h
}

// percentile returns one of what came to a histogram; the upper end of its bucket.
func percentile(before, after *metrics.Float64Histogram, percent uint64) time.Duration {
	var total, sum uint64
	for i := range after.Counts {
		total += after.Counts[i] - before.Counts[i]
	}
	for i := range after.Counts {
		if sum += after.Counts[i] - before.Counts[i]; sum*100 >= total*percent {
			return time.Duration(after.Buckets[i+1] * float64(time.Second))
		}
	}
	return 0
}

// TestHostileLoads: initialisation that never ends has a budget too.
func TestHostileLoads(t *testing.T) {
	for _, a := range hostiles(t) {
		if !a.AtLoad {
			continue
		}
		_, err := plugins.Load(context.Background(), a.Wasm, plugins.Config{Name: "chat", Fuel: 10_000, Deadline: time.Minute})
		want := "plugin chat: " + strings.Replace(a.Error, "1000000000 ", "1000000 ", 1)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error is\n%v\nwant\n%s", a.Name, err, want)
		}
	}
}
