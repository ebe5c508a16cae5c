package abi

// Sizes in bytes of the response header and of one effect record of this
// revision. A later revision may append fields to both, so a reader goes by
// the sizes that the header names.
const (
	ResponseHeaderSize = 64
	EffectSize         = 48
)

// Offsets of the fields of a response header (SPEC.md section 4.1).
const (
	resHeaderSize   = 0
	resResult       = 2
	resFlags        = 3
	resStateVersion = 4
	resNumber       = 8
	resEffectSize   = 12
	resEffects      = 16 // (offset, count)
	resPayload      = 24
	resEvent        = 32
	resState        = 40
	resIDTopic      = 48
	resText         = 56
)

// flagState marks a response that carries a new state.
const flagState = 2

// Offsets of the fields of an effect record (SPEC.md section 5.1).
const (
	effKind    = 0
	effFlags   = 2
	effNumber  = 4
	effValue   = 8
	effTopic   = 16
	effEvent   = 24
	effPayload = 32
	effKey     = 40
)

// flagLocal keeps a broadcast on this node; flagOff takes an intercept back.
const (
	flagLocal = 2
	flagOff   = 4
)

// Response is what a callback answers. Decoded, its slices are views into the
// encoded block.
type Response struct {
	Result Result
	Binary bool // Payload is raw bytes rather than JSON text

	Payload []byte // of the reply, the push or the refusal; empty means {}
	Event   []byte // push: event; reply: status, empty means ok
	Number  uint32 // connect refused: HTTP status, 0 means 403; stop: Reason
	Text    []byte // stop: the reason in words, for the log
	IDTopic []byte // connect: topic whose disconnect event closes the socket

	HasState     bool // false leaves the state as it was
	State        []byte
	StateVersion uint32

	Effects []Effect // in the order in which they take place
}

// Effect is one thing that a callback asks the host to do. Which fields an
// effect reads is SPEC.md section 5.2.
type Effect struct {
	Kind   EffectKind
	Binary bool   // Payload is raw bytes
	Local  bool   // broadcasts: only to subscribers on this node
	Off    bool   // intercept: stop intercepting
	Number uint32 // log: Level; stop: Reason
	Value  int64  // send_after: delay in milliseconds

	Topic   []byte // empty means the channel's own
	Event   []byte // reply: status, empty means ok
	Payload []byte // JSON text or bytes; presence: meta; log, stop: text
	Key     []byte // reply: ref; send_info: socket id; timer, presence, group: its name; disconnect: id topic
}

// Reset empties r for reuse and keeps the room of Effects.
func (r *Response) Reset() {
	effects := r.Effects[:0]
	*r = Response{Effects: effects}
}

// Size returns the length in bytes of the encoded response.
func (r *Response) Size() int {
	n := ResponseHeaderSize + EffectSize*len(r.Effects) + len(r.Payload) + len(r.Event) +
		len(r.State) + len(r.IDTopic) + len(r.Text)
	for i := range r.Effects {
		n += r.Effects[i].outputSize()
	}
	return n
}

func (e *Effect) outputSize() int {
	return len(e.Topic) + len(e.Event) + len(e.Payload) + len(e.Key)
}

// AppendResponse appends the encoded response to dst: header, effect records,
// then the bytes they name. It does not allocate when dst has room for
// [Response.Size] more bytes.
func AppendResponse(dst []byte, r *Response) []byte {
	w := blockWriter{base: len(dst), buf: appendZeros(dst, ResponseHeaderSize+EffectSize*len(r.Effects))}
	h := w.buf[w.base:]
	put16(h[resHeaderSize:], ResponseHeaderSize)
	h[resResult] = byte(r.Result)
	h[resFlags] = bit(r.Binary, flagBinary) | bit(r.HasState, flagState)
	put32(h[resStateVersion:], r.StateVersion)
	put32(h[resNumber:], r.Number)
	put16(h[resEffectSize:], EffectSize)
	put32(h[resEffects:], ResponseHeaderSize)
	put32(h[resEffects+4:], uint32(len(r.Effects)))
	w.put(resPayload, r.Payload)
	w.put(resEvent, r.Event)
	w.put(resState, r.State)
	w.put(resIDTopic, r.IDTopic)
	w.put(resText, r.Text)
	for i := range r.Effects {
		w.putEffect(ResponseHeaderSize+EffectSize*i, &r.Effects[i])
	}
	return w.buf
}

func (w *blockWriter) putEffect(at int, e *Effect) {
	rec := w.buf[w.base+at:]
	put16(rec[effKind:], uint16(e.Kind))
	put16(rec[effFlags:], uint16(bit(e.Binary, flagBinary)|bit(e.Local, flagLocal)|bit(e.Off, flagOff)))
	put32(rec[effNumber:], e.Number)
	put64(rec[effValue:], uint64(e.Value))
	w.put(at+effTopic, e.Topic)
	w.put(at+effEvent, e.Event)
	w.put(at+effPayload, e.Payload)
	w.put(at+effKey, e.Key)
}

// DecodeResponse reads an encoded response into r within lim, overwriting all
// of it but reusing the room of Effects. The slices are views into b. It
// checks the format, not the meaning: see [Response.Check]. The error is a
// [*FormatError], and r is then unusable.
func DecodeResponse(b []byte, lim Limits, r *Response) error {
	r.Reset()
	size, err := responseHeader(b, lim)
	if err != nil {
		return err
	}
	r.Result = Result(b[resResult])
	r.Binary = b[resFlags]&flagBinary != 0
	r.HasState = b[resFlags]&flagState != 0
	r.StateVersion = get32(b[resStateVersion:])
	r.Number = get32(b[resNumber:])
	v := blockReader{block: b}
	r.Payload = v.get(resPayload)
	r.Event = v.get(resEvent)
	r.State = v.get(resState)
	r.IDTopic = v.get(resIDTopic)
	r.Text = v.get(resText)
	if v.bad != 0 {
		return malformed("4.1", responseField(v.bad), "ends past the response")
	}
	if len(r.State) > lim.State {
		return malformed("8", "state", "is over the limit in bytes").over(len(r.State), lim.State)
	}
	return r.decodeEffects(b, size, lim)
}

// responseField names the pair at an offset of the header.
func responseField(pair int) string {
	names := [...]string{"payload", "event", "state", "id_topic", "text"}
	return names[(pair-resPayload)/8]
}

// responseHeader checks the header's own sizes and returns the number of
// bytes in it.
func responseHeader(b []byte, lim Limits) (int, error) {
	if len(b) < ResponseHeaderSize {
		return 0, malformed("4.1", "response", small(len(b), ResponseHeaderSize))
	}
	if len(b) > lim.Response {
		return 0, malformed("8", "response", "is over the limit in bytes").over(len(b), lim.Response)
	}
	size := int(get16(b[resHeaderSize:]))
	if size < ResponseHeaderSize {
		return 0, malformed("4.1", "header_size", small(size, ResponseHeaderSize))
	}
	if size > len(b) {
		return 0, malformed("4.1", "header_size", "is past the response").over(size, len(b))
	}
	if Result(b[resResult]) >= numResults {
		return 0, malformed("4.2", "result", "has an unknown number")
	}
	return size, nil
}

func (r *Response) decodeEffects(b []byte, header int, lim Limits) error {
	off, count := uint64(get32(b[resEffects:])), uint64(get32(b[resEffects+4:]))
	size := uint64(get16(b[resEffectSize:]))
	if count == 0 {
		return r.checkOutput(lim)
	}
	if count > uint64(lim.Effects) {
		return malformed("8", "effects", "are over the limit").over(int(count), lim.Effects)
	}
	if size < EffectSize {
		return malformed("4.1", "effect_size", small(int(size), EffectSize))
	}
	if off < uint64(header) {
		return malformed("4.1", "effects", "begin inside the header")
	}
	if off+size*count > uint64(len(b)) {
		return malformed("4.1", "effects", "end past the response").over(int(off+size*count), len(b))
	}
	for i := range int(count) {
		rec := b[off+uint64(i)*size:]
		var e Effect
		if problem := decodeEffect(b, rec, &e); problem != "" {
			return malformed("5.1", effectName(i), problem)
		}
		r.Effects = append(r.Effects, e)
	}
	return r.checkOutput(lim)
}

func effectName(i int) string {
	return "effects[" + itoa(i) + "]"
}

func decodeEffect(b, rec []byte, e *Effect) (problem string) {
	e.Kind = EffectKind(get16(rec[effKind:]))
	if e.Kind == 0 || e.Kind >= numEffects {
		return "has an unknown kind"
	}
	flags := get16(rec[effFlags:])
	e.Binary = flags&flagBinary != 0
	e.Local = flags&flagLocal != 0
	e.Off = flags&flagOff != 0
	e.Number = get32(rec[effNumber:])
	e.Value = int64(get64(rec[effValue:]))
	for _, f := range [...]struct {
		to *[]byte
		at int
	}{{&e.Topic, effTopic}, {&e.Event, effEvent}, {&e.Payload, effPayload}, {&e.Key, effKey}} {
		v, ok := view(b, rec[f.at:])
		if !ok {
			return "names bytes past the response"
		}
		*f.to = v
	}
	return ""
}

// checkOutput holds the sum of what the response names under the limit.
// Records may name the same bytes many times over, so the length of the block
// alone bounds nothing.
func (r *Response) checkOutput(lim Limits) error {
	total := len(r.Payload) + len(r.Event) + len(r.IDTopic) + len(r.Text)
	for i := range r.Effects {
		total += r.Effects[i].outputSize()
	}
	if total > lim.Output {
		return malformed("8", "output", "is over the limit in bytes").over(total, lim.Output)
	}
	return nil
}
