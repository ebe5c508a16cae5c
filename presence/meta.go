package presence

import "slices"

// Top-level keys of a meta that belong to the server.
const (
	refKey     = "phx_ref"
	prevRefKey = "phx_ref_prev"
	metasKey   = "metas" // beside the members of Track.Extra
)

// cleanMeta returns a copy of an object without white space between its members
// and without the server's keys, however they are spelled. It fails with ErrMeta
// if it cannot find its way through the text; the values of members it takes as
// they are.
func cleanMeta(meta []byte) ([]byte, error) {
	if len(meta) == 0 {
		return []byte("{}"), nil
	}
	return cleanObject(meta, refKey, prevRefKey)
}

// cleanExtra is cleanMeta for what stands beside the metas of a key; nil for nothing.
func cleanExtra(extra []byte) ([]byte, error) {
	if len(extra) == 0 {
		return nil, nil
	}
	out, err := cleanObject(extra, metasKey)
	if err != nil || len(out) == len("{}") {
		return nil, err
	}
	return out, nil
}

// cleanObject is cleanMeta with the names that are left out.
func cleanObject(meta []byte, without ...string) ([]byte, error) {
	sc := scanner{b: meta}
	if !sc.take('{') {
		return nil, ErrMeta
	}
	out := append(make([]byte, 0, len(meta)), '{')
	for more := !sc.take('}'); more; {
		name, value, ok := sc.member()
		if !ok {
			return nil, ErrMeta
		}
		if !slices.ContainsFunc(without, func(word string) bool { return spells(name, word) }) {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(out, name...)
			out = append(out, ':')
			out = append(out, value...)
		}
		more = sc.take(',')
		if !more && !sc.take('}') {
			return nil, ErrMeta
		}
	}
	sc.space()
	if sc.i != len(meta) {
		return nil, ErrMeta
	}
	return append(out, '}'), nil
}

// scanner walks the top level of an object. It never recurses, and no index
// relies on the text being valid.
type scanner struct {
	b []byte
	i int
}

func (sc *scanner) space() {
	for sc.i < len(sc.b) && isSpace(sc.b[sc.i]) {
		sc.i++
	}
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r'
}

// take skips white space and then c, if c is there.
func (sc *scanner) take(c byte) bool {
	sc.space()
	if sc.i < len(sc.b) && sc.b[sc.i] == c {
		sc.i++
		return true
	}
	return false
}

// member reads a name (with its quotes), a colon and a value.
func (sc *scanner) member() (name, value []byte, ok bool) {
	sc.space()
	start := sc.i
	if !sc.str() {
		return nil, nil, false
	}
	name = sc.b[start:sc.i]
	if !sc.take(':') {
		return nil, nil, false
	}
	sc.space()
	start = sc.i
	if !sc.value() {
		return nil, nil, false
	}
	return name, sc.b[start:sc.i], true
}

// str skips a string.
func (sc *scanner) str() bool {
	if sc.i >= len(sc.b) || sc.b[sc.i] != '"' {
		return false
	}
	for sc.i++; sc.i < len(sc.b); sc.i++ {
		switch sc.b[sc.i] {
		case '\\':
			sc.i++
		case '"':
			sc.i++
			return true
		}
	}
	return false
}

// value skips a value up to the comma, bracket or space that ends it.
func (sc *scanner) value() bool {
	start, depth := sc.i, 0
	for sc.i < len(sc.b) {
		switch sc.b[sc.i] {
		case '"':
			if !sc.str() {
				return false
			}
			if depth == 0 {
				return true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return sc.i > start
			}
			depth--
			if depth == 0 {
				sc.i++
				return true
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return sc.i > start
			}
		}
		sc.i++
	}
	return false
}

// spells reports whether a string token stands for word, which is ASCII without
// anything that has a short escape.
func spells(token []byte, word string) bool {
	s := token[1 : len(token)-1]
	for _, c := range []byte(word) {
		switch {
		case len(s) > 0 && s[0] == c:
			s = s[1:]
		case len(s) >= 6 && s[0] == '\\' && s[1] == 'u' && isHex(s[2:6], c):
			s = s[6:]
		default:
			return false
		}
	}
	return len(s) == 0
}

// isHex reports whether four hex digits are the number of an ASCII character.
func isHex(digits []byte, c byte) bool {
	return digits[0] == '0' && digits[1] == '0' &&
		lower(digits[2]) == hexDigits[c>>4] && lower(digits[3]) == hexDigits[c&15]
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'F' {
		return c + 'a' - 'A'
	}
	return c
}
