package pubsub

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
)

func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := New(Config[*int]{})
			for range n {
				p.Subscribe("room:1", new(sink), nil)
			}
			m := new(int)
			b.ReportAllocs()
			for b.Loop() {
				p.Broadcast("room:1", m)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/delivery")
		})
	}
}

func BenchmarkBroadcastToNobody(b *testing.B) {
	p := New(Config[*int]{})
	b.ReportAllocs()
	for b.Loop() {
		p.Broadcast("room:1", nil)
	}
}

// Each goroutine has a topic of its own: what remains is the cost of sharing
// the registry.
func BenchmarkBroadcastParallelTopics(b *testing.B) {
	p := New(Config[*int]{})
	var next atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		topic := fmt.Sprint("room:", next.Add(1))
		p.Subscribe(topic, new(sink), nil)
		for pb.Next() {
			p.Broadcast(topic, nil)
		}
	})
}

func BenchmarkSubscribeCancel(b *testing.B) {
	for _, n := range []int{0, 10_000} {
		b.Run(fmt.Sprint("beside", n), func(b *testing.B) {
			p := New(Config[*int]{})
			s := new(sink)
			for range n {
				p.Subscribe("room:1", s, nil)
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Subscribe("room:1", s, nil).Cancel()
			}
		})
	}
}

// BenchmarkMemory reports bytes held per subscription, in one crowded topic and
// with a topic for each.
func BenchmarkMemory(b *testing.B) {
	const n = 200_000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("room:", i)
	}
	for _, c := range []struct {
		name  string
		topic func(i int) string
	}{
		{"OneTopic", func(int) string { return "room:0" }},
		{"TopicEach", func(i int) string { return names[i] }},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := new(sink)
			subs := make([]*Subscription[*int], n)
			for b.Loop() {
				p := New(Config[*int]{})
				before := heap()
				for i := range n {
					subs[i] = p.Subscribe(c.topic(i), s, nil)
				}
				b.ReportMetric(float64(heap()-before)/n, "B/subscription")
				runtime.KeepAlive(p)
				clear(subs)
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
