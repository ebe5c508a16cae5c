package presence

import (
	"fmt"
	"runtime"
	"testing"
)

func filled(b *testing.B, n int, cfg Config) *Tracker {
	tr := NewTracker(cfg)
	for i := range n {
		if _, err := tr.Track(Track{Owner: Owner(i), Topic: "room:1", Key: fmt.Sprint("user:", i), Meta: benchMeta()}); err != nil {
			b.Fatal(err)
		}
	}
	return tr
}

func benchMeta() []byte { return []byte(`{"name":"Ann","device":"phone","online_at":1700000000}`) }

// BenchmarkTrack must not grow with the members already there.
func BenchmarkTrack(b *testing.B) {
	for _, n := range []int{0, 1000, 100_000} {
		b.Run(fmt.Sprint("beside", n), func(b *testing.B) {
			tr := filled(b, n, Config{OnDiff: func(string, *Diff) {}})
			e := Track{Owner: 1 << 40, Topic: "room:1", Key: "ann", Meta: benchMeta()}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tr.Track(e); err != nil {
					b.Fatal(err)
				}
				tr.Untrack(e.Owner, e.Topic, e.Key)
			}
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	tr := filled(b, 1000, Config{OnDiff: func(string, *Diff) {}})
	e := Track{Owner: 500, Topic: "room:1", Key: "user:500", Meta: benchMeta()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tr.Update(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkView(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tr := filled(b, n, Config{})
			b.ReportAllocs()
			for b.Loop() {
				tr.View("room:1", nobody, func(state []byte, _ bool) { b.SetBytes(int64(len(state))) })
			}
		})
	}
}

func BenchmarkAppendDiff(b *testing.B) {
	d := Diff{Joins: []Entry{{Key: "user:1", Ref: "GLmfa3d6yQABZ4sT", Meta: benchMeta()}}}
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst = d.AppendJSON(dst[:0])
	}
}

// BenchmarkMemory reports bytes held per entry, key, ref and a meta of 54 bytes
// included.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		before := heap()
		tr := filled(b, n, Config{})
		b.ReportMetric(float64(heap()-before)/n, "B/entry")
		runtime.KeepAlive(tr)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
