package limit

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// ErrInvalidRate is wrapped by every refusal of a rate.
var ErrInvalidRate = errors.New("invalid rate")

const (
	// maxHeld is the most that a full bucket holds, in its units: a million
	// tokens of a rate per hour, and of shorter periods as many more. Twice of it
	// fits an int64.
	maxHeld = int64(1_000_000 * time.Hour)
	maxPer  = 24 * time.Hour
)

// Rate is how many tokens come back in a period, and how many may be there at
// most. The zero value is off: everything passes. A literal such as
// Rate{Count: 100, Burst: 200} is meant to be written by hand; [Rate.Check]
// tells whether it makes sense.
type Rate struct {
	Count int           // tokens that come back in each Per; 0 or less is off
	Per   time.Duration // 0 means a second
	Burst int           // tokens of a full bucket; 0 means Count
}

// Parse reads a rate as it is written in a configuration: "100/s", "10/m burst
// 20", "1/10s" or "off". A period is s, m, h or a duration of
// [time.ParseDuration]. Errors wrap [ErrInvalidRate] and quote the text.
func Parse(text string) (Rate, error) {
	if text == "off" {
		return Rate{}, nil
	}
	r, problem := parse(text)
	if problem != "" {
		return Rate{}, fmt.Errorf("%w %q: %s; write \"100/s\", \"10/m burst 20\" or \"off\"", ErrInvalidRate, text, problem)
	}
	return r, r.Check()
}

func parse(text string) (r Rate, problem string) {
	rate, burst, hasBurst := strings.Cut(text, " burst ")
	count, per, hasPer := strings.Cut(rate, "/")
	if !hasPer {
		return r, "it has no period"
	}
	if r.Count, problem = number(count); problem != "" {
		return r, problem
	}
	if hasBurst {
		if r.Burst, problem = number(burst); problem != "" {
			return r, problem
		}
	}
	if per != "" && (per[0] < '0' || per[0] > '9') {
		per = "1" + per
	}
	var err error
	if r.Per, err = time.ParseDuration(per); err != nil || r.Per <= 0 {
		return r, "its period is not s, m, h or a duration such as 10s"
	}
	return r, ""
}

// number reads a count. Zero is refused, as it might be meant to stop everything
// or to limit nothing.
func number(text string) (n int, problem string) {
	u, err := strconv.ParseUint(text, 10, strconv.IntSize-1)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, text + " is too large"
	case err != nil:
		return 0, strconv.Quote(text) + " is not a whole number"
	case u == 0:
		return 0, "0 would let nothing pass"
	}
	return int(u), ""
}

// Off tells that everything passes.
func (r Rate) Off() bool { return r.Count <= 0 }

// Check refuses a rate that makes no sense, or that a bucket cannot count
// exactly. What Parse returns has passed it. A bucket with a rate that has not
// is safe to use, but gives less than the rate says.
func (r Rate) Check() error {
	f := r.filled()
	switch {
	case r.Count < 0:
		return fmt.Errorf("%w: count %d is negative; 0 is off", ErrInvalidRate, r.Count)
	case r.Per < 0:
		return fmt.Errorf("%w: period %s is negative", ErrInvalidRate, r.Per)
	case r.Per > maxPer:
		return fmt.Errorf("%w: period %s is over %s", ErrInvalidRate, r.Per, maxPer)
	case r.Burst < 0:
		return fmt.Errorf("%w: burst %d is negative", ErrInvalidRate, r.Burst)
	case r.Count == 0 && r.Burst != 0:
		return fmt.Errorf("%w: burst %d has no rate", ErrInvalidRate, r.Burst)
	case max(int64(f.Count), int64(f.Burst)) > maxHeld/int64(f.Per):
		return fmt.Errorf("%w %q: with a period of %s there can be %d at most", ErrInvalidRate, r, f.Per, maxHeld/int64(f.Per))
	}
	return nil
}

// String writes the form that Parse reads.
func (r Rate) String() string {
	if r.Off() {
		return "off"
	}
	per := r.filled().Per
	period := per.String()
	switch per {
	case time.Second:
		period = "s"
	case time.Minute:
		period = "m"
	case time.Hour:
		period = "h"
	}
	if r.Burst > 0 {
		return fmt.Sprintf("%d/%s burst %d", r.Count, period, r.Burst)
	}
	return fmt.Sprintf("%d/%s", r.Count, period)
}

// filled returns the rate with its defaults in place of what is not positive.
func (r Rate) filled() Rate {
	if r.Per <= 0 {
		r.Per = time.Second
	}
	if r.Burst <= 0 {
		r.Burst = r.Count
	}
	return r
}

// units returns what n tokens count for; r is filled. Only a rate that Check
// refuses comes to more than maxHeld, and is cut to it.
func (r Rate) units(n int) int64 {
	hi, lo := bits.Mul64(uint64(n), uint64(r.Per))
	if hi != 0 || lo > uint64(maxHeld) {
		return maxHeld
	}
	return int64(lo)
}

// refill returns how long an empty bucket takes to be full; r is filled and not
// off.
func (r Rate) refill() time.Duration { return r.comeback(r.units(r.Burst)) }

// comeback returns how long it takes for so many units to come back, rounded up
// to the nanosecond in which they are all there; r is filled and not off.
func (r Rate) comeback(units int64) time.Duration {
	count := int64(r.Count)
	d := units / count
	if units%count != 0 {
		d++
	}
	return time.Duration(d)
}
