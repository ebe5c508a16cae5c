package limit

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Rate
	}{
		{"off", Rate{}},
		{"100/s", Rate{Count: 100, Per: time.Second}},
		{"10/m", Rate{Count: 10, Per: time.Minute}},
		{"1000000/h", Rate{Count: 1_000_000, Per: time.Hour}},
		{"2000000000/s", Rate{Count: 2_000_000_000, Per: time.Second}},
		{"100/s burst 200", Rate{Count: 100, Per: time.Second, Burst: 200}},
		{"100/s burst 100", Rate{Count: 100, Per: time.Second, Burst: 100}},
		{"100/s burst 1", Rate{Count: 100, Per: time.Second, Burst: 1}},
		{"1/10s", Rate{Count: 1, Per: 10 * time.Second}},
		{"5/1m30s burst 7", Rate{Count: 5, Per: 90 * time.Second, Burst: 7}},
		{"3/100ms", Rate{Count: 3, Per: 100 * time.Millisecond}},
		{"1/24h0m0s", Rate{Count: 1, Per: 24 * time.Hour}},
	} {
		got, err := Parse(tt.text)
		if err != nil || got != tt.want {
			t.Errorf("%q: %+v, %v", tt.text, got, err)
		}
		if got.String() != tt.text {
			t.Errorf("%q is written as %q", tt.text, got)
		}
	}
	for text, same := range map[string]string{"1/1s": "1/s", "2/60s": "2/m", "007/ms": "7/1ms", "1/90m": "1/1h30m0s"} {
		if got, err := Parse(text); err != nil || got.String() != same {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const forms = `; write "100/s", "10/m burst 20" or "off"`
	for text, want := range map[string]string{
		"":                              `"": it has no period` + forms,
		"100":                           `"100": it has no period` + forms,
		"Off":                           `"Off": it has no period` + forms,
		"100/":                          `"100/": its period is not s, m, h or a duration such as 10s` + forms,
		"100/second":                    `"100/second": its period is not`,
		"100/0s":                        `"100/0s": its period is not`,
		"100/-1s":                       `"100/-1s": its period is not`,
		"100/10":                        `"100/10": its period is not`,
		"100/d":                         `"100/d": its period is not`,
		"100/ s":                        `"100/ s": its period is not`,
		"100 /s":                        `"100 " is not a whole number` + forms,
		"/s":                            `"" is not a whole number`,
		"-1/s":                          `"-1" is not a whole number`,
		"+1/s":                          `"+1" is not a whole number`,
		"0.5/s":                         `"0.5" is not a whole number`,
		"1e3/s":                         `"1e3" is not a whole number`,
		"1_000/s":                       `"1_000" is not a whole number`,
		"0/s":                           `0 would let nothing pass` + forms,
		"1/s burst 0":                   `0 would let nothing pass`,
		"1/s burst":                     `its period is not`,
		"1/s burst x":                   `"x" is not a whole number`,
		"1/s burst 2 burst 3":           `"2 burst 3" is not a whole number`,
		"1/s  burst 2":                  `its period is not`,
		"burst 2":                       `it has no period`,
		"off burst 2":                   `it has no period`,
		"99999999999999999999/s":        `99999999999999999999 is too large`,
		"1000001/h":                     `"1000001/h": with a period of 1h0m0s there can be 1000000 at most`,
		"1/h burst 1000001":             `"1/h burst 1000001": with a period of 1h0m0s there can be 1000000 at most`,
		"60000001/m":                    `there can be 60000000 at most`,
		"3600000001/s":                  `there can be 3600000000 at most`,
		"1/25h":                         `period 25h0m0s is over 24h0m0s`,
		"1/9999999999h":                 `its period is not`,
		"1/s burst 9223372036854775807": `there can be 3600000000 at most`,
	} {
		_, err := Parse(text)
		if !errors.Is(err, ErrInvalidRate) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, r := range []Rate{
		{},
		{Per: time.Minute},
		{Count: 1},
		{Count: 100, Burst: 200},
		{Count: 3_600_000_000},
		{Count: 1, Per: 24 * time.Hour, Burst: 41_666},
	} {
		if err := r.Check(); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
	for want, r := range map[string]Rate{
		"invalid rate: count -1 is negative; 0 is off":                                     {Count: -1},
		"invalid rate: period -1s is negative":                                             {Count: 1, Per: -time.Second},
		"invalid rate: burst -1 is negative":                                               {Count: 1, Burst: -1},
		"invalid rate: burst 5 has no rate":                                                {Burst: 5},
		"invalid rate: period 24h0m0.000000001s is over 24h0m0s":                           {Count: 1, Per: maxPer + 1},
		`invalid rate "3600000001/s": with a period of 1s there can be 3600000000 at most`: {Count: 3_600_000_001},
	} {
		if err := r.Check(); !errors.Is(err, ErrInvalidRate) || err.Error() != want {
			t.Errorf("%+v: %v, want %s", r, err, want)
		}
	}
}

// FuzzParse: what Parse takes is checked, is not off unless it says so, and is
// the same after it was written and read again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"off", "100/s", "10/m burst 20", "1/1h30m", "1/", "0/s", "9223372036854775807/ns burst 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrInvalidRate) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if err := r.Check(); err != nil || r.Off() != (text == "off") {
			t.Errorf("%q: %+v, off %v, %v", text, r, r.Off(), err)
		}
		if again, err := Parse(r.String()); err != nil || again != r {
			t.Errorf("%q: %+v is written as %q and read as %+v, %v", text, r, r, again, err)
		}
	})
}

// unchecked are rates that Check refuses, as bad as they come.
var unchecked = []Rate{
	{Count: math.MaxInt, Per: math.MaxInt64, Burst: math.MaxInt},
	{Count: 1, Per: math.MaxInt64, Burst: math.MaxInt},
	{Count: math.MaxInt, Per: 1, Burst: 1},
	{Count: 1, Per: math.MinInt64, Burst: math.MinInt},
	{Count: 1, Per: maxPer, Burst: math.MaxInt},
}
