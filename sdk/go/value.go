package aviary

import (
	"iter"
	"strconv"
)

// Kind is what a [Value] is.
type Kind uint8

// The kinds. All but KindMissing and KindBytes are those of JSON.
const (
	KindMissing Kind = iota // nothing there, or not JSON
	KindNull
	KindBool
	KindNumber
	KindString
	KindArray
	KindObject
	KindBytes // a binary payload
)

// Value is a payload, or a part of one: a view of JSON text that is read only as
// far as it is asked for, or the bytes of a binary payload. The zero Value is
// missing. As an argument of [Call.Push] and its like it is passed on unread.
//
// Nothing here panics or recurses, whatever the text. Questions put to a value of
// another kind answer with a zero; the As methods tell whether it was one. Where
// an object has a key twice, the first counts. Keys and strings lose their
// escapes; half a surrogate pair becomes U+FFFD. Each question scans the text
// anew, so keep what you need twice.
type Value struct {
	text string // one JSON value without space around it, or the bytes
	kind Kind
}

// JSON returns text as a Value. The text is not checked: what is not JSON, and
// goes into a payload, makes the host refuse the callback.
func JSON[T ~string | ~[]byte](text T) Value {
	return parse(string(text))
}

// Bytes returns b as a binary payload. b must not change before the handler returns.
func Bytes(b []byte) Value { return Value{text: stringOf(b), kind: KindBytes} }

// Text returns s as a JSON string.
func Text(s string) Value {
	return Value{text: stringOf(appendQuoted(make([]byte, 0, len(s)+2), s)), kind: KindString}
}

// parse returns the value at the start of text.
func parse(text string) Value {
	i := spaceEnd(text, 0)
	end := len(text)
	for end > i && isSpace(text[end-1]) {
		end--
	}
	return valueOf(text[i:end])
}

// valueOf returns the Value of text, which has no space around it.
func valueOf(text string) Value {
	if text == "" {
		return Value{}
	}
	kind := KindMissing
	switch c := text[0]; c {
	case '{':
		kind = KindObject
	case '[':
		kind = KindArray
	case '"':
		kind = KindString
	case 't', 'f':
		kind = KindBool
	case 'n':
		kind = KindNull
	default:
		if c == '-' || isDigit(c) {
			kind = KindNumber
		}
	}
	if kind == KindMissing {
		return Value{}
	}
	return Value{text: text, kind: kind}
}

// Kind tells what v is.
func (v Value) Kind() Kind { return v.kind }

// Exists tells whether v is there at all; null is.
func (v Value) Exists() bool { return v.kind != KindMissing }

// Raw returns the JSON text of v, or its bytes, as they came.
func (v Value) Raw() string { return v.text }

// Get returns the member key of an object.
func (v Value) Get(key string) Value {
	if v.kind == KindObject {
		for m := v.members(); m.next(); {
			if keyIs(m.key, key) {
				return valueOf(m.value)
			}
		}
	}
	return Value{}
}

// Path returns what Get of each key in turn leads to.
func (v Value) Path(keys ...string) Value {
	for _, key := range keys {
		v = v.Get(key)
	}
	return v
}

// Index returns the i-th element of an array, from 0.
func (v Value) Index(i int) Value {
	if v.kind == KindArray {
		for m := v.members(); m.next(); i-- {
			if i == 0 {
				return valueOf(m.value)
			}
		}
	}
	return Value{}
}

// Len returns the number of members of an object, repeated keys included, or of
// elements of an array.
func (v Value) Len() int {
	n := 0
	if v.kind == KindObject || v.kind == KindArray {
		for m := v.members(); m.next(); {
			n++
		}
	}
	return n
}

// Members walks an object in the order of its text, repeated keys included.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.kind != KindObject {
			return
		}
		for m := v.members(); m.next(); {
			if !yield(unquoted(m.key), valueOf(m.value)) {
				return
			}
		}
	}
}

// Elements walks an array.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.kind != KindArray {
			return
		}
		for m := v.members(); m.next(); {
			if !yield(valueOf(m.value)) {
				return
			}
		}
	}
}

func (v Value) members() members {
	return members{text: v.text, at: 1, keys: v.kind == KindObject}
}

// String returns a JSON string without quotes and escapes, and "" for anything
// else. It copies only where there are escapes.
func (v Value) String() string {
	s, _ := v.AsString()
	return s
}

// AsString is String, and whether v is a JSON string.
func (v Value) AsString() (string, bool) {
	if v.kind != KindString || len(v.text) < 2 {
		return "", false
	}
	return unquoted(v.text[1 : len(v.text)-1]), true
}

// Bool returns true only for a JSON true.
func (v Value) Bool() bool { return v.kind == KindBool && v.text == "true" }

// AsBool is Bool, and whether v is true or false.
func (v Value) AsBool() (value, ok bool) {
	value = v.Bool()
	return value, value || v.kind == KindBool && v.text == "false"
}

// Int returns a whole number, and 0 for anything else. 1.0 and 1e2 are whole.
func (v Value) Int() int64 {
	n, _ := v.AsInt()
	return n
}

// AsInt is Int, and whether v is a whole number that an int64 holds.
func (v Value) AsInt() (int64, bool) {
	if v.kind != KindNumber {
		return 0, false
	}
	return wholeNumber(v.text)
}

// Float returns a number, and 0 for anything else.
func (v Value) Float() float64 {
	f, _ := v.AsFloat()
	return f
}

// AsFloat is Float, and whether v is a number that a float64 can come near: not
// 1e999.
func (v Value) AsFloat() (float64, bool) {
	if v.kind != KindNumber || !looksDecimal(v.text) {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.text, 64)
	if err != nil {
		return 0, false // out of range
	}
	return f, true
}

// AsBytes returns the bytes of a binary payload, and whether v is one. They are
// a view, not to be written to.
func (v Value) AsBytes() ([]byte, bool) {
	if v.kind != KindBytes {
		return nil, false
	}
	return bytesOf(v.text), true
}
