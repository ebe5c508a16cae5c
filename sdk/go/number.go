package aviary

import "math"

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// looksDecimal keeps what strconv would read and JSON does not know, such as
// hexadecimal and infinity, away from it.
func looksDecimal(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isDigit(c), c == '-', c == '+', c == '.', c == 'e', c == 'E':
		default:
			return false
		}
	}
	return true
}

// decimal is a number as it is written: digits scaled by ten to the power exp.
// There may be more digits than uint64 holds; over tells.
type decimal struct {
	negative bool
	digits   uint64
	exp      int
	over     bool
}

// wholeNumber reads a JSON number, and tells whether it is one that an int64
// holds exactly. It does without strconv, whose tables are large.
func wholeNumber(s string) (int64, bool) {
	d, ok := readDecimal(s)
	if !ok || d.over {
		return 0, false
	}
	for ; d.exp < 0 && d.digits%10 == 0 && d.digits != 0; d.exp++ {
		d.digits /= 10
	}
	for ; d.exp > 0 && d.digits != 0; d.exp-- {
		if d.digits > math.MaxUint64/10 {
			return 0, false
		}
		d.digits *= 10
	}
	switch {
	case d.digits == 0:
		return 0, true
	case d.exp < 0:
		return 0, false // a fraction is left
	case d.negative && d.digits <= 1<<63:
		return -int64(d.digits), true
	case !d.negative && d.digits <= math.MaxInt64:
		return int64(d.digits), true
	}
	return 0, false
}

// readDecimal splits a number into its digits and its power of ten. Zeros at the
// end of a fraction are left out, so that they do not overflow the digits.
func readDecimal(s string) (d decimal, ok bool) {
	if s != "" && s[0] == '-' {
		d.negative, s = true, s[1:]
	}
	n := digitsEnd(s)
	if n == 0 {
		return d, false
	}
	d.add(s[:n])
	s = s[n:]
	if s != "" && s[0] == '.' {
		n = digitsEnd(s[1:])
		fraction := s[1 : 1+n]
		s = s[1+n:]
		for fraction != "" && fraction[len(fraction)-1] == '0' {
			fraction = fraction[:len(fraction)-1]
		}
		d.add(fraction)
		d.exp = -len(fraction)
	}
	if s == "" {
		return d, true
	}
	exp, ok := readExponent(s)
	d.exp += exp
	return d, ok
}

func digitsEnd(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func (d *decimal) add(digits string) {
	for i := 0; i < len(digits); i++ {
		c := uint64(digits[i] - '0')
		if d.digits > (math.MaxUint64-c)/10 {
			d.over = true
			return
		}
		d.digits = d.digits*10 + c
	}
}

// farExponent is beyond any power of ten that matters here.
const farExponent = 1 << 20

// readExponent reads what follows the digits: e, a sign, digits.
func readExponent(s string) (int, bool) {
	if s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	s = s[1:]
	negative := s != "" && s[0] == '-'
	if negative || s != "" && s[0] == '+' {
		s = s[1:]
	}
	if s == "" || digitsEnd(s) != len(s) {
		return 0, false
	}
	exp := 0
	for i := 0; i < len(s); i++ {
		exp = min(exp*10+int(s[i]-'0'), farExponent)
	}
	if negative {
		exp = -exp
	}
	return exp, true
}
