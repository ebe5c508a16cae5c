package wire

import "testing"

func TestParseVersion(t *testing.T) {
	for vsn, want := range map[string]Version{
		"1.0.0": Version1, "1.0.7": Version1, "2.0.0": Version2, "2.0.10": Version2, "2.0.999999999": Version2,
		"": 0, "abc": 0, "2": 0, "2.0": 0, "2.0.": 0, "2.0.0.": 0, "2.0.0.0": 0, "2..0": 0, "v2.0.0": 0, " 2.0.0": 0, "2.0.0 ": 0, "2.0.0\n": 0,
		"1.1.0": 0, "2.1.0": 0, "0.0.0": 0, "3.0.0": 0, "123.1.1": 0, "12.0.0": 0, "1.0.0,2.0.0": 0,
		"2.0.0-rc.1": 0, "2.0.1-rc.1": 0, "2.0.0+1": 0, "2.0.-1": 0, "2.0.+1": 0, "2.0.1e3": 0, "2.0.x": 0, "2.0.1x1": 0, "2.0.٣": 0,
		"2.0.00": 0, "2.0.01": 0, "02.0.0": 0, "2.00.0": 0, "2.0.1000000000": 0, "2.0.18446744073709551616": 0,
	} {
		got, ok := ParseVersion(vsn)
		if got != want || ok != (want != 0) {
			t.Errorf("ParseVersion(%q) = %v, %v, want %v", vsn, got, ok, want)
		}
	}
}

func TestVersionNamesItself(t *testing.T) {
	for v, want := range map[Version]string{Version1: "1.0.0", Version2: "2.0.0", 0: "version 0"} {
		if v.String() != want {
			t.Errorf("version %d is %q, want %q", v, v, want)
		}
	}
	for _, v := range []Version{Version1, Version2} {
		if got, ok := ParseVersion(v.String()); got != v || !ok {
			t.Errorf("%v reads back as %v, %v", v, got, ok)
		}
	}
}
