package limit

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

func BenchmarkBucket(b *testing.B) {
	for _, c := range []struct {
		name string
		step time.Duration
	}{{"Given", time.Second}, {"Refused", 0}} {
		b.Run(c.name, func(b *testing.B) {
			r := Rate{Count: 100, Burst: 200}
			var bucket Bucket
			bucket.Take(r, 0, 200)
			now := time.Duration(0)
			b.ReportAllocs()
			for b.Loop() {
				now += c.step
				bucket.Take(r, now, 1)
			}
		})
	}
}

func BenchmarkKeyed(b *testing.B) {
	key := AddressKey(netip.MustParseAddr("192.0.2.1"))
	b.Run("OneKey", func(b *testing.B) {
		k := NewKeyed[netip.Prefix](Rate{Count: 100}, 0)
		now := time.Duration(0)
		b.ReportAllocs()
		for b.Loop() {
			now += time.Millisecond
			k.Take(key, now)
		}
	})
	b.Run("Parallel", func(b *testing.B) {
		k := NewKeyed[netip.Prefix](Rate{Count: 100}, 0)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				k.Take(key, 0)
			}
		})
	})
}

// BenchmarkKeyedFlood has a new key each time, as an attacker has: into a table
// that turns over all the time, and into one in which there is no room. Neither
// may cost more when the table is larger.
func BenchmarkKeyedFlood(b *testing.B) {
	for _, most := range []int{1 << 10, 1 << 16, 1 << 20} {
		for name, step := range map[string]time.Duration{"Turnover": time.Second / time.Duration(most), "NoRoom": 0} {
			b.Run(fmt.Sprint(name, most), func(b *testing.B) {
				k := NewKeyed[int](Rate{Count: 2, Burst: 4}, most)
				now := time.Duration(0)
				key := 0
				for range most {
					now += step
					k.Take(key, now)
					key++
				}
				b.ReportAllocs()
				for b.Loop() {
					now += step
					k.Take(key, now)
					key++
				}
			})
		}
	}
}

func BenchmarkCounter(b *testing.B) {
	key := AddressKey(netip.MustParseAddr("192.0.2.1"))
	c := NewCounter[netip.Prefix](2)
	c.Acquire(key)
	b.ReportAllocs()
	for b.Loop() {
		c.Acquire(key)
		c.Release(key)
	}
}

func BenchmarkAddressKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		AddressKey(v6)
	}
}

// BenchmarkKeyedMemory reports bytes held per address that is remembered.
func BenchmarkKeyedMemory(b *testing.B) {
	for b.Loop() {
		before := heap()
		k := NewKeyed[netip.Prefix](Rate{Count: 1}, 0)
		for i := range DefaultMaxKeys {
			k.Take(AddressKey(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})), 0)
		}
		b.ReportMetric(float64(heap()-before)/DefaultMaxKeys, "B/key")
		runtime.KeepAlive(k)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
