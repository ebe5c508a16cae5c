package load

import (
	"fmt"
	"slices"
	"time"
)

// Soak is what Mixed counted, warm-up and all, and what became of the server.
type Soak struct {
	Broadcasts int64 `json:"broadcasts"` // sent
	Deliveries int64 `json:"deliveries"` // of them, to all that read
	Echoes     int64 `json:"echoes"`
	Joins      int64 `json:"joins"`
	Leaves     int64 `json:"leaves"`
	Dropped    int64 `json:"dropped"` // connections, by the client
	CutOff     int64 `json:"cut_off"` // connections, by the server, as they did not read

	// Missed is how many deliveries connections that were dropped, or cut off, can have
	// missed until they were back, at most.
	Missed int64 `json:"missed_at_most"`
	// Lost is how many of them the server says it had made. It is 0 without its
	// counters.
	Lost int64 `json:"lost"`

	Delivery Percentiles `json:"delivery_latency"` // in the window, of those that read
	Join     Percentiles `json:"connect_latency"`  // of those that connected again: until the join's reply

	Server  *Counters `json:"server,omitempty"` // what came about in the run; nil without the server's counters
	Figures []Figure  `json:"figures"`
}

// Counters are some of those that Aviary's GET /api/v1/info has.
type Counters struct {
	FramesIn     int64 `json:"frames_in"`
	Deliveries   int64 `json:"deliveries"`
	SlowClients  int64 `json:"slow_clients"`
	InfosDropped int64 `json:"infos_dropped"`
	Crashes      int64 `json:"crashes"`
	Unavailable  int64 `json:"unavailable"`
	Goroutines   int64 `json:"goroutines"` // now
}

// since returns what came about since before.
func (c Counters) since(before Counters) Counters {
	c.FramesIn -= before.FramesIn
	c.Deliveries -= before.Deliveries
	c.SlowClients -= before.SlowClients
	c.InfosDropped -= before.InfosDropped
	c.Crashes -= before.Crashes
	c.Unavailable -= before.Unavailable
	return c
}

// tally is what a run knows that the server's counters have to agree with.
type tally struct {
	frames  int64 // messages sent
	unsure  int64 // of those, to connections that the server may have ended before
	deaf    int64 // connections
	account *Soak
}

// check compares c, what came about in the run, with what the client knows. Where
// connections end the two can differ, by no more than was on the way.
func (c Counters) check(t tally) error {
	s := t.account
	lost := c.Deliveries - s.Deliveries
	switch {
	case c.FramesIn > t.frames || c.FramesIn < t.frames-t.unsure:
		return fmt.Errorf("%w: the server counts %d messages in, of %d that were sent, %d of them on connections that it cut off",
			errMissing, c.FramesIn, t.frames, t.unsure)
	case lost < 0 || lost > s.Missed:
		return fmt.Errorf("%w: the server counts %d deliveries and %d came: %d are lost, of %d that connections which ended can have missed",
			errMissing, c.Deliveries, s.Deliveries, lost, s.Missed)
	case c.SlowClients < s.CutOff || c.SlowClients > s.CutOff+t.deaf:
		return fmt.Errorf("%w: the server counts %d slow clients and %d saw that they were cut off, of %d at a time",
			errWrong, c.SlowClients, s.CutOff, t.deaf)
	case c.InfosDropped+c.Crashes+c.Unavailable > 0:
		return fmt.Errorf("%w: the server counts %d dropped messages, %d crashes and %d callbacks unavailable",
			errWrong, c.InfosDropped, c.Crashes, c.Unavailable)
	}
	return nil
}

// sample is what a server takes at one moment. What is not known is 0.
type sample struct {
	at                              time.Duration
	rss, files, threads, goroutines int64
}

// Figure is the median of something that must not grow, over the first and the last
// of the samples.
type Figure struct {
	Name  string  `json:"name"`
	First float64 `json:"first"`
	Last  float64 `json:"last"`
	slack float64 // that is growth of no account
}

// Growth is how many percent more there is at the end; less than 0 if there is less.
func (f *Figure) Growth() float64 { return 100 * (f.Last/f.First - 1) }

// figures takes the first and the last minute of samples, or a third of them if
// there are few.
func figures(samples []sample) []Figure {
	if len(samples) == 0 {
		return nil
	}
	first, last := samples[0].at, samples[len(samples)-1].at
	span := min(time.Minute, (last-first)/3)
	median := func(from, to time.Duration, value func(*sample) int64) float64 {
		var all []int64
		for i := range samples {
			if at := samples[i].at; from <= at && at <= to {
				all = append(all, value(&samples[i]))
			}
		}
		slices.Sort(all)
		return float64(all[len(all)/2])
	}
	var out []Figure
	for _, f := range []struct {
		name  string
		slack float64
		value func(*sample) int64
	}{
		{"RSS", 1 << 20, func(s *sample) int64 { return s.rss }},
		{"files", 8, func(s *sample) int64 { return s.files }},
		{"threads", 8, func(s *sample) int64 { return s.threads }},
		{"goroutines", 8, func(s *sample) int64 { return s.goroutines }},
	} {
		begin, end := median(first, first+span, f.value), median(last-span, last, f.value)
		if begin > 0 {
			out = append(out, Figure{f.name, begin, end, f.slack})
		}
	}
	return out
}

// checkFlat refuses what has grown by more than so many percent, and by more than
// chance has a few of something grow.
func checkFlat(all []Figure, percent float64) error {
	for i := range all {
		f := &all[i]
		if f.Growth() > percent && f.Last-f.First > f.slack {
			return fmt.Errorf("%w: %s grew from %.0f to %.0f, by %.1f %%, and flat allows %g %%", errGrown, f.Name, f.First, f.Last, f.Growth(), percent)
		}
	}
	return nil
}

// soakLines appends what Mixed has to say.
func (r *Result) soakLines(lines [][2]string) [][2]string {
	add := func(name, format string, v ...any) { lines = append(lines, [2]string{name, fmt.Sprintf(format, v...)}) }
	s := r.Soak
	add("echoes", "%d", s.Echoes)
	add("broadcasts", "%d, delivered %d times: %s", s.Broadcasts, s.Deliveries, s.Delivery)
	add("joins", "%d, and %d leaves; to connect and join: %s", s.Joins, s.Leaves, s.Join)
	add("ended", "%d dropped, %d cut off as they did not read; they missed %d deliveries at most", s.Dropped, s.CutOff, s.Missed)
	if c := s.Server; c != nil {
		add("server counts", "%d messages in, %d deliveries of which %d were lost with their connection, %d slow clients", c.FramesIn, c.Deliveries, s.Lost, c.SlowClients)
	}
	for i := range s.Figures {
		f := &s.Figures[i]
		if f.Name == "RSS" {
			add(f.Name, "%.1f to %.1f MiB, %+.1f %%", f.First/(1<<20), f.Last/(1<<20), f.Growth())
			continue
		}
		add(f.Name, "%.0f to %.0f, %+.1f %%", f.First, f.Last, f.Growth())
	}
	return lines
}
