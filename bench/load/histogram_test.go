package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesLieWithinABucket(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, most := range []int64{50, 5_000, 1_000_000, int64(time.Hour)} {
		var h histogram
		exact := make([]int64, 10_001)
		for i := range exact {
			exact[i] = rnd.Int64N(most)
			h.add(time.Duration(exact[i]))
		}
		slices.Sort(exact)
		for _, q := range []float64{0, 0.5, 0.99, 1} {
			want := float64(exact[int(q*10_000)])
			if got := float64(h.quantile(q)); math.Abs(got-want) > want/64+1 {
				t.Errorf("quantile %v below %d: %v, want %v", q, most, got, want)
			}
		}
	}
}

func TestHistogramTakesAnything(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 {
		t.Error("the median of nothing is not 0")
	}
	h.add(-1)
	h.add(math.MaxInt64)
	if h.quantile(0) != 0 || h.quantile(1) < math.MaxInt64/64*63 {
		t.Error(h.quantile(0), h.quantile(1))
	}
	for v := uint64(0); v < 1<<20; v++ {
		if m := middleOf(bucketOf(v)); bucketOf(m) != bucketOf(v) {
			t.Fatalf("%d stands for the bucket of %d", m, v)
		}
	}
}
