package rfc6455_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tail is what a sender takes off the end of a message and a receiver puts back
// (RFC 7692 section 7.2.1); final ends the stream, for Go's reader.
const (
	tail  = "\x00\x00\xff\xff"
	final = "\x01\x00\x00\xff\xff"
)

// deflater compresses messages as a client does (RFC 7692 section 7.2.1).
type deflater struct {
	out   bytes.Buffer
	w     *flate.Writer
	fresh bool // each message by itself: client_no_context_takeover
}

func newDeflater(level int, fresh bool) *deflater {
	d := &deflater{fresh: fresh}
	w, err := flate.NewWriter(&d.out, level)
	if err != nil {
		panic(err) // a level that does not exist
	}
	d.w = w
	return d
}

// deflate returns the payload of a compressed message. Each part becomes
// blocks of its own.
func (d *deflater) deflate(parts ...string) string {
	d.out.Reset()
	if d.fresh {
		d.w.Reset(&d.out)
	}
	for _, part := range append(parts, "")[:max(1, len(parts))] {
		if _, err := io.WriteString(d.w, part); err != nil {
			panic(err) // a buffer takes everything
		}
		if err := d.w.Flush(); err != nil {
			panic(err)
		}
	}
	return strings.TrimSuffix(d.out.String(), tail)
}

// alone compresses a message that needs none before it.
func alone(message string) string { return newDeflater(flate.BestCompression, true).deflate(message) }

// squeezed is a compressed text in one frame.
func squeezed(message string) []byte { return build(fin|rsv1|opText, alone(message)) }

// inflater undoes what a server has compressed.
type inflater struct {
	window []byte // what later messages may refer to
	size   int    // of the window
	fresh  bool   // there is none: server_no_context_takeover
}

func (i *inflater) inflate(payload []byte) ([]byte, error) {
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(payload), strings.NewReader(tail+final)), i.window)
	message, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%d bytes: %w", len(payload), err)
	}
	if !i.fresh {
		i.window = append(i.window, message...)
		i.window = slices.Clone(i.window[max(0, len(i.window)-i.size):])
	}
	return message, nil
}

// params are those of one offer or of the answer, in their order.
type params [][2]string // name and value

func (p params) get(name string) (value string, ok bool) {
	for _, kv := range p {
		if kv[0] == name {
			return kv[1], true
		}
	}
	return "", false
}

// parseExtensions reads Sec-WebSocket-Extensions (RFC 6455 section 9.1), of
// which these tests use no more than this.
func parseExtensions(header string) (names []string, all []params) {
	for _, extension := range strings.Split(header, ",") {
		parts := strings.Split(extension, ";")
		var p params
		for _, part := range parts[1:] {
			name, value, _ := strings.Cut(part, "=")
			p = append(p, [2]string{strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`)})
		}
		names, all = append(names, strings.TrimSpace(parts[0])), append(all, p)
	}
	return names, all
}

// agreed is what client and server have agreed on.
type agreed struct {
	clientFresh, serverFresh bool
	clientBits, serverBits   int
}

// agree checks that answer is one that RFC 7692 section 7.1 allows to offers,
// and says what has been agreed on.
func agree(offers string, answer []string) (a agreed, err error) {
	if len(answer) != 1 {
		return a, fmt.Errorf("%d header lines", len(answer))
	}
	names, all := parseExtensions(answer[0])
	if len(names) != 1 || names[0] != "permessage-deflate" {
		return a, fmt.Errorf("extensions %q", names)
	}
	if a, err = readAnswer(all[0]); err != nil {
		return a, err
	}
	offered, offer := parseExtensions(offers)
	for i, name := range offered {
		if name == "permessage-deflate" && allows(offer[i], all[0], a) {
			return a, nil
		}
	}
	return a, fmt.Errorf("%q is no answer to %q", answer, offers)
}

func readAnswer(answer params) (a agreed, err error) {
	a = agreed{clientBits: 15, serverBits: 15}
	seen := map[string]bool{}
	for _, kv := range answer {
		name, value := kv[0], kv[1]
		if seen[name] {
			return a, fmt.Errorf("%s twice", name)
		}
		seen[name] = true
		n, _ := strconv.Atoi(value)
		switch {
		case name == "server_no_context_takeover" && value == "":
			a.serverFresh = true
		case name == "client_no_context_takeover" && value == "":
			a.clientFresh = true
		case name == "server_max_window_bits" && n >= 8 && n <= 15 && value == strconv.Itoa(n):
			a.serverBits = n
		case name == "client_max_window_bits" && n >= 8 && n <= 15 && value == strconv.Itoa(n):
			a.clientBits = n
		default:
			return a, fmt.Errorf("parameter %s=%q", name, value)
		}
	}
	return a, nil
}

// allows tells whether answer, which says a, may follow offer.
func allows(offer, answer params, a agreed) bool {
	if _, ok := offer.get("server_no_context_takeover"); ok && !a.serverFresh {
		return false // section 7.1.1.1
	}
	if bits, ok := offer.get("server_max_window_bits"); ok {
		n, err := strconv.Atoi(bits)
		if _, answered := answer.get("server_max_window_bits"); err != nil || !answered || a.serverBits > n {
			return false // section 7.1.2.1
		}
	}
	bits, offered := offer.get("client_max_window_bits")
	if _, answered := answer.get("client_max_window_bits"); !answered {
		return true
	}
	if bits == "" {
		return offered // section 7.1.2.2
	}
	n, err := strconv.Atoi(bits)
	return offered && err == nil && a.clientBits <= n
}

// dialDeflate connects with offers, which the server has to agree to, and
// joins. The deflater keeps to what was agreed on.
func (s *server) dialDeflate(t testing.TB, w way, offers string) (*client, *deflater, agreed) {
	t.Helper()
	c := s.connect(t, w, "Sec-WebSocket-Extensions: "+offers+"\r\n")
	a, err := agree(offers, c.answer)
	if err != nil {
		t.Fatalf("offered %q: %v", offers, err)
	}
	c.inflate = (&inflater{size: 1 << a.serverBits, fresh: a.serverFresh}).inflate
	c.listen()
	c.join()
	level := flate.DefaultCompression
	if a.clientBits < 15 {
		level = flate.HuffmanOnly // compress/flate has one window, of 32 KiB; so it looks back at nothing
	}
	return c, newDeflater(level, a.clientFresh), a
}
