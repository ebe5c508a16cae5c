package load

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestCounters: what the server counts has to agree with what the client knows.
func TestCounters(t *testing.T) {
	before := Counters{1000, 1000, 10, 5, 5, 5, 50}
	good := Counters{1100, 1520, 13, 5, 5, 5, 60}
	know := tally{frames: 102, unsure: 2, deaf: 1, account: &Soak{Deliveries: 500, Missed: 20, CutOff: 2}}
	for _, tt := range []struct {
		name  string
		spoil func(*Counters)
		want  error
		words string
	}{
		{"as it should be", func(*Counters) {}, nil, ""},
		{"a message lost", func(c *Counters) { c.FramesIn-- }, errMissing, "99 messages in, of 102 that were sent, 2 of them"},
		{"a message too many", func(c *Counters) { c.FramesIn += 3 }, errMissing, "103 messages in"},
		{"a delivery lost", func(c *Counters) { c.Deliveries++ }, errMissing, "521 deliveries and 500 came: 21 are lost, of 20"},
		{"a delivery too many", func(c *Counters) { c.Deliveries = 1499 }, errMissing, "-1 are lost"},
		{"one cut off too many", func(c *Counters) { c.SlowClients++ }, errWrong, "4 slow clients and 2 saw"},
		{"one cut off too few", func(c *Counters) { c.SlowClients -= 2 }, errWrong, "1 slow clients and 2 saw"},
		{"a crash", func(c *Counters) { c.Crashes++ }, errWrong, "0 dropped messages, 1 crashes and 0 callbacks"},
	} {
		c := good
		tt.spoil(&c)
		err := c.since(before).check(know)
		if !errors.Is(err, tt.want) || tt.want != nil && !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.words)
		}
	}
}

// TestFigures: medians of the first and the last minute, so that a peak is no growth.
func TestFigures(t *testing.T) {
	run := func(seconds int, rss func(second int) int64) []sample {
		var all []sample
		for i := range seconds {
			all = append(all, sample{at: time.Duration(i) * time.Second, rss: rss(i), files: 100})
		}
		return all
	}
	const mib = 1 << 20
	for _, tt := range []struct {
		name    string
		samples []sample
		want    string // in the error at 10 percent
	}{
		{"none", nil, ""},
		{"one", run(1, func(int) int64 { return 20 * mib }), ""},
		{"a peak at the end", run(600, func(i int) int64 { return 20*mib + int64(i/590)*20*mib }), ""},
		{"less and less", run(600, func(i int) int64 { return int64(1000-i) * mib }), ""},
		{"a leak", run(600, func(i int) int64 { return 20*mib + int64(i)*10<<10 }), "RSS grew from"},
		{"a leak in a minute", run(60, func(i int) int64 { return 20*mib + int64(i)*100<<10 }), "RSS grew from"},
		{"a little of little", run(600, func(i int) int64 { return mib + int64(i)<<10 }), ""},
	} {
		err := checkFlat(figures(tt.samples), 10)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if !errors.Is(err, errGrown) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	got := figures(run(600, func(i int) int64 { return 20*mib + int64(i)<<10 }))
	if len(got) != 2 || got[0].Name != "RSS" || got[0].First != 20*mib+30<<10 || got[0].Last != 20*mib+569<<10 || got[1].First != 100 || got[1].Growth() != 0 {
		t.Errorf("%+v", got)
	}
}
