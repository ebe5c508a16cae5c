package aviary

// Codec turns the state of a channel into bytes and back: the host keeps it from
// one callback to the next. [State] makes one from a list of fields, [RawState] is
// for who wants the bytes, [NoState] for channels that remember nothing; package
// aviaryjson has one that uses encoding/json.
type Codec[S any] struct {
	// Version is kept beside the state. A later version of the module finds it in
	// its CodeChange handler.
	Version uint32
	// Load reads what Append wrote. s is zero; state is never empty, and a view: what
	// s keeps of it is good until the handler returns. An error fails the callback.
	Load func(s *S, state []byte) error
	// Append appends the state to dst. It must give the same bytes for the same
	// state, so that an unchanged one is not sent to the host again.
	Append func(dst []byte, s *S) []byte

	object bool // what Load reads is an object, and anything else as an empty one
}

// Versioned returns the codec with its Version set.
func (c Codec[S]) Versioned(version uint32) Codec[S] {
	c.Version = version
	return c
}

// Encode returns the bytes of s, to seed joins with ([ConnectResult.Seed]) and for tests.
func (c Codec[S]) Encode(s *S) Value { return Bytes(c.Append(nil, s)) }

// None is the state of a channel that has none.
type None = struct{}

// NoState returns the codec of channels without a state.
func NoState() Codec[None] {
	return Codec[None]{
		Load:   func(*None, []byte) error { return nil },
		Append: func(dst []byte, _ *None) []byte { return dst },
	}
}

// RawState returns the codec of channels whose state is bytes as it is.
func RawState() Codec[[]byte] {
	return Codec[[]byte]{
		Load:   func(s *[]byte, state []byte) error { *s = append(*s, state...); return nil },
		Append: func(dst []byte, s *[]byte) []byte { return append(dst, *s...) },
	}
}

// State returns a codec made of one function, which names the fields of S. It
// serves both ways, so the two cannot disagree:
//
//	func (m *member) fields(f *aviary.Fields) { f.Str("name", &m.Name).Int("seen", &m.Seen) }
//
//	room := aviary.Channel("room:*", aviary.State((*member).fields))
//
// The bytes are a JSON object. A field that they lack, or that is of another type,
// stays zero, and one that nobody asks for is dropped; so fields can be added and
// removed without a version.
func State[S any](fields func(*S, *Fields)) Codec[S] {
	return Codec[S]{
		object: true,
		Load: func(s *S, state []byte) error {
			f := newFields()
			*f = Fields{in: parse(stringOf(state))}
			f.rewind()
			fields(s, f)
			return nil
		},
		Append: func(dst []byte, s *S) []byte {
			f := newFields()
			*f = Fields{saving: true, out: builder{buf: append(dst, '{')}}
			fields(s, f)
			return append(f.out.buf, '}')
		},
	}
}

// Fields reads the fields of a state from bytes, or writes them; see [State].
// Fields that hold their zero are left out.
type Fields struct {
	saving bool
	out    builder
	in     Value
	rest   members // the walk through in, behind the field read last
}

func (f *Fields) rewind() { f.rest = f.in.members() }

// begin prepares for the field key: to write it, unless it is zero, or to read
// it, in which case v is its value.
func (f *Fields) begin(key string, zero bool) (v Value, write bool) {
	if !f.saving {
		return f.read(key), false
	}
	if !zero {
		f.out.key(key)
	}
	return Value{}, !zero
}

// read returns the member key. Fields are written in the order in which they are
// read, so it is nearly always the next one.
func (f *Fields) read(key string) Value {
	if f.in.kind != KindObject {
		return Value{}
	}
	before := f.rest
	if f.rest.next() && keyIs(f.rest.key, key) {
		return valueOf(f.rest.value)
	}
	f.rest = before
	return f.in.Get(key)
}

// Str is a field of text. What is not UTF-8 comes back as U+FFFD.
func (f *Fields) Str(key string, p *string) *Fields {
	if v, write := f.begin(key, *p == ""); write {
		f.out.buf = appendQuoted(f.out.buf, *p)
	} else if !f.saving {
		*p = v.String()
	}
	return f
}

// Int is a field of a whole number.
func (f *Fields) Int(key string, p *int64) *Fields {
	if v, write := f.begin(key, *p == 0); write {
		f.out.int(*p)
	} else if !f.saving {
		*p = v.Int()
	}
	return f
}

// Float is a field of a number. NaN and the infinities come back as 0.
func (f *Fields) Float(key string, p *float64) *Fields {
	if v, write := f.begin(key, *p == 0); write {
		f.out.float(*p)
	} else if !f.saving {
		*p = v.Float()
	}
	return f
}

// Bool is a field of true or false.
func (f *Fields) Bool(key string, p *bool) *Fields {
	if v, write := f.begin(key, !*p); write {
		f.out.bool(*p)
	} else if !f.saving {
		*p = v.Bool()
	}
	return f
}

// Ref is a field of a reply owed.
func (f *Fields) Ref(key string, p *Ref) *Fields {
	if v, write := f.begin(key, *p == ""); write {
		f.out.buf = appendLatin1(f.out.buf, string(*p))
	} else if !f.saving {
		*p = Ref(latin1(v.String()))
	}
	return f
}

// Bytes is a field of bytes. Each is written as the character of its number,
// which suits short ones and plain text; use [RawState] for what is large.
func (f *Fields) Bytes(key string, p *[]byte) *Fields {
	if v, write := f.begin(key, len(*p) == 0); write {
		f.out.buf = appendLatin1(f.out.buf, stringOf(*p))
	} else if !f.saving {
		*p = latin1(v.String())
	}
	return f
}

// Strs is a field of texts.
func (f *Fields) Strs(key string, p *[]string) *Fields {
	v, write := f.begin(key, len(*p) == 0)
	if write {
		f.out.buf = append(f.out.buf, '[')
		for _, s := range *p {
			f.out.next()
			f.out.buf = appendQuoted(f.out.buf, s)
		}
		f.out.buf = append(f.out.buf, ']')
	} else if !f.saving {
		for e := range v.Elements() {
			*p = append(*p, e.String())
		}
	}
	return f
}

// Group is a field that has fields of its own.
func (f *Fields) Group(key string, fields func(*Fields)) *Fields {
	if f.saving {
		f.out.key(key)
		f.out.buf = append(f.out.buf, '{')
		fields(f)
		f.out.buf = append(f.out.buf, '}')
		return f
	}
	in, v := f.in, f.read(key)
	rest := f.rest
	f.in = v
	f.rewind()
	fields(f)
	f.in, f.rest = in, rest
	return f
}

// appendLatin1 appends b as a JSON string with the character U+0000 to U+00FF for
// each byte, so that any bytes come back as they were.
func appendLatin1(dst []byte, b string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c >= 0x80:
			dst = append(dst, 0xc0|c>>6, 0x80|c&0x3f)
		case c < ' ' || c == '"' || c == '\\':
			dst = appendEscaped(dst, c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// latin1 undoes appendLatin1.
func latin1(s string) []byte {
	if s == "" {
		return nil
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}
