package load

import (
	"math/bits"
	"time"
)

// subBuckets is how many buckets each power of two is divided into, 1 to the
// left of the error.
const (
	subBits    = 6
	subBuckets = 1 << subBits
	numBuckets = (64 - subBits + 1) * subBuckets
)

// histogram counts durations in buckets that are at most 1/64 of their value
// wide. It has a fixed size and never allocates.
type histogram struct {
	count   int64
	buckets [numBuckets]int64
}

func bucketOf(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)*subBuckets + int(v>>shift) - subBuckets
}

// middleOf is the value that stands for bucket i.
func middleOf(i int) uint64 {
	if i < 2*subBuckets {
		return uint64(i)
	}
	shift := i/subBuckets - 1
	low := uint64(i%subBuckets+subBuckets) << shift
	return low + 1<<shift/2
}

func (h *histogram) add(d time.Duration) {
	h.buckets[bucketOf(uint64(max(d, 0)))]++
	h.count++
}

// quantile returns the value that a share q of the durations does not exceed;
// 0 without any.
func (h *histogram) quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := int64(q*float64(h.count-1)) + 1
	for i, n := range h.buckets {
		if rank -= n; rank <= 0 {
			return time.Duration(middleOf(i))
		}
	}
	panic("histogram: count is more than the buckets hold")
}

func (h *histogram) reset() { *h = histogram{} }

func (h *histogram) percentiles() Percentiles {
	return Percentiles{P50: h.quantile(0.5), P90: h.quantile(0.9), P99: h.quantile(0.99), Max: h.quantile(1)}
}
