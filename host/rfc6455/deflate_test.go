package rfc6455_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host"
)

const plainOffer = "permessage-deflate; client_max_window_bits"

// runDeflate is run on connections that have agreed to permessage-deflate.
func runDeflate(t *testing.T, mount host.Mount, cases []testCase) {
	t.Helper()
	s := start(t, mount)
	for _, c := range cases {
		t.Run(c.title(), func(t *testing.T) {
			for _, w := range ways() {
				t.Run(w.name, func(t *testing.T) {
					client, _, _ := s.dialDeflate(t, w, plainOffer)
					client.play(c.script)
				})
			}
		})
	}
	s.waitFor(t, 0, 0)
}

// corrupt is how data end that cannot be inflated: RFC 7692 names no code.
func corrupt() oneOf { return oneOf{"close 1007", "close 1002"} }

// TestDeflatedFrames: where RSV1 may stand (RFC 7692 section 6).
func TestDeflatedFrames(t *testing.T) {
	m := echoText(sized(300))
	z := alone(m)
	answer := echoed(sized(300))
	start := build(rsv1|opText, z[:10])
	runDeflate(t, compressing(), []testCase{
		{"12.0.1 compressed text", "RFC 7692 7.2.2", script{squeezed(m), answer}},
		{"12.0.2 text that is not compressed", "RFC 7692 6", script{text(m), answer}},
		{"12.0.3 one by one", "RFC 7692 6", script{squeezed(m), text(m), squeezed(m), text(m), answer, answer, answer, answer}},
		{"12.0.4 in two fragments", "RFC 7692 6.1", script{start, last(z[10:]), answer}},
		{"12.0.5 in fragments of one byte", "RFC 7692 6.1", script{fragmentsOf(rsv1|opText, z, 1), answer}},
		{"12.0.6 with pings between", "RFC 7692 6.1", script{start, ping("p"), more(z[10:20]), pong("q"), last(z[20:]), `pong "p"`, answer}},
		{"12.0.7 fragments of no bytes around it", "RFC 7692 6.1", script{build(rsv1|opText, ""), more(z), more(""), last(""), answer}},
		{"12.0.8 a text that is not compressed in fragments after one that is", "RFC 7692 6", script{
			start, last(z[10:]), first(m[:10]), last(m[10:]), answer, answer,
		}},
		{"12.0.9 compressed binary", "RFC 7692 7.2.2", script{build(fin|rsv1|opBinary, alone(undecodableBinary(300))), binaryRefused}},
		{"12.0.10 RSV1 in a continuation", "RFC 7692 6.1", script{start, build(fin|rsv1|opContinuation, z[10:]), "close 1002"}},
		{"12.0.11 RSV1 first in a continuation", "RFC 7692 6.1", script{first(m[:10]), build(fin|rsv1|opContinuation, m[10:]), "close 1002"}},
		{"12.0.12 RSV1 in a ping", "RFC 7692 6", script{build(fin|rsv1|opPing, alone("x")), "close 1002"}},
		{"12.0.13 RSV1 in a pong", "RFC 7692 6", script{build(fin|rsv1|opPong, ""), "close 1002"}},
		{"12.0.14 RSV1 in a close", "RFC 7692 6", script{withRSV(4, closing(1000, "")), "close 1002"}},
		{"12.0.15 RSV2", "5.2", script{withRSV(2, text(m)), "close 1002"}},
		{"12.0.16 RSV1 and RSV3", "5.2", script{withRSV(1, squeezed(m)), "close 1002"}},
		{"12.0.17 RSV1 with a reserved opcode", "5.2", script{build(fin|rsv1|3, z), "close 1002"}},
		{"12.0.18 close between compressed fragments", "5.5.1", script{start, closing(1000, ""), last(z[10:]), "close 1000"}},
	})
}

// withFinalBlock is a message whose last block says so, and is followed by an empty one
// as RFC 7692 section 7.2.3.4 has it.
func withFinalBlock(message string) string {
	d := newDeflater(flate.BestCompression, true)
	d.out.Reset()
	_, err := d.w.Write([]byte(message))
	if err == nil {
		err = d.w.Close()
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return d.out.String() + "\x00"
}

// TestDeflatedData: what may be in a compressed message (RFC 7692 section
// 7.2.3), and what may not.
func TestDeflatedData(t *testing.T) {
	m, answer := echoText(sized(300)), echoed(sized(300))
	send := func(payload string) []byte { return build(fin|rsv1|opText, payload) }
	d := newDeflater(flate.BestCompression, false)
	d.deflate(m)
	backwards := send(d.deflate(m)) // refers to the one before
	cases := []testCase{
		{"12.0.20 an empty message", "RFC 7692 7.2.3.6", script{send("\x00"), undecodable}},
		{"12.0.21 no payload at all", "RFC 7692 7.2.2", script{send(""), oneOf{undecodable, "close 1007", "close 1002"}}},
		{"12.0.24 several blocks", "RFC 7692 7.2.3.5", script{send(newDeflater(9, true).deflate(m[:50], m[50:60], "", m[60:])), answer}},
		{"12.0.25 a block that says it is the last", "RFC 7692 7.2.3.4", script{send(withFinalBlock(m)), answer}},
		{"12.0.26 a message after such a block", "RFC 7692 7.2.3.4", script{send(withFinalBlock(m)), squeezed(m), answer, answer}},
		{"12.0.27 a message that refers to what was before such a block", "RFC 7692 7.2.3.4", script{
			send(withFinalBlock(m)), answer, backwards, oneOf{answer, "close 1007", "close 1002"},
		}},
		{"12.0.28 data after such a block are not lost", "RFC 7692 7.2.3.4", script{
			send(strings.TrimSuffix(withFinalBlock(m[:50]), "\x00") + alone(m[50:])), oneOf{answer, "close 1007", "close 1002"},
		}},
		{"12.0.29 stored by hand", "RFC 7692 7.2.3.3", script{send("\x00" + le16(len(m)) + le16(^len(m)) + m + "\x00"), answer}},

		{"12.0.30 no deflate data", "RFC 7692 7.2.2", script{send("\xff\xff\xff\xff"), corrupt()}},
		{"12.0.31 text that only says it is compressed", "RFC 7692 7.2.2", script{send(m), corrupt()}},
		{"12.0.32 cut off", "RFC 7692 7.2.2", script{send(alone(m)[:40]), oneOf{"close 1007", "close 1002", undecodable}}},
		{"12.0.33 a stored block whose lengths disagree", "RFC 7692 7.2.2", script{send("\x00\x05\x00\x05\x00hello\x00"), corrupt()}},
		{"12.0.34 it refers to what was before the beginning", "RFC 7692 7.2.2", script{backwards, corrupt()}},
		{"12.0.35 not UTF-8 when inflated", "8.1", script{send(alone(echoText("\xed\xa0\x80"))), "close 1007"}},
		{"12.0.36 not UTF-8 when inflated, in fragments", "8.1", script{fragmentsOf(rsv1|opText, alone(echoText("\xff")), 3), "close 1007"}},
		{"12.0.37 UTF-8 that is not before it is inflated", "8.1", script{send(alone(echoText(greek))), echoed(greek)}},
		{"12.0.38 nothing is read after it", "RFC 7692 7.2.2", script{send("\xff\xff\xff\xff"), text(m), ping(""), corrupt()}},
	}
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		cases = append(cases, testCase{fmt.Sprintf("12.0.40 level %d", level), "RFC 7692 7.2.1", script{
			send(newDeflater(level, true).deflate(m)), answer,
		}})
	}
	runDeflate(t, compressing(), cases)
}

// TestSharedWindow: unless they have agreed otherwise, the client's messages
// refer to those before, whatever else goes between them.
func TestSharedWindow(t *testing.T) {
	s := start(t, compressing())
	m, answer := echoText(noise(300)), echoed(noise(300))
	for _, w := range ways() {
		t.Run("12.0.22 a window that lasts over messages, RFC 7692 7.2.3.2, "+w.name, func(t *testing.T) {
			c, d, a := s.dialDeflate(t, w, plainOffer)
			one, two, three := d.deflate(m), d.deflate(m), d.deflate(m)
			if !a.clientFresh && len(two) > len(one)/4 {
				t.Fatalf("the second message takes %d bytes after %d: it does not refer to the first", len(two), len(one))
			}
			c.play(script{
				build(fin|rsv1|opText, one), answer, text(m), answer, ping(""), `pong ""`,
				build(fin|rsv1|opText, two), answer, fragmentsOf(rsv1|opText, three, 2), answer,
			})
		})
	}
}

func le16(n int) string { return string([]byte{byte(n), byte(n >> 8)}) }

// zeros is a message of n MiB of zeros compressed: the second MiB refers to
// the first, and so may all the others.
func zeros(n int) string {
	d := newDeflater(flate.BestCompression, false)
	one := strings.Repeat("\x00", mib)
	head := d.deflate(one) + tail
	next := d.deflate(one) + tail
	return strings.TrimSuffix(head+strings.Repeat(next, n-1), tail)
}

// TestInflatedLimit: max_frame counts what a message has when it is inflated,
// and no more than that is ever inflated.
func TestInflatedLimit(t *testing.T) {
	limit := 64 * kib
	fits, over := sized(limit), sized(limit+1)
	blown := build(fin|rsv1|opText, zeros(32))
	runDeflate(t, host.Mount{Compress: true}, []testCase{
		{"12.0.50 max_frame bytes inflated", "10.4", script{squeezed(echoText(fits)), echoed(fits)}},
		{"12.0.51 one more", "10.4", script{squeezed(echoText(over)), "close 1009"}},
		{"12.0.52 one more, in fragments", "10.4", script{fragmentsOf(rsv1|opText, alone(echoText(over)), 20), "close 1009"}},
		{"12.0.53 32 MiB of zeros in a frame", "10.4", script{blown, "close 1009"}},
		{"12.0.54 messages up to the limit, one after the other", "10.4", script{
			squeezed(echoText(fits)), squeezed(echoText(fits)), echoed(fits), echoed(fits),
		}},
		{"12.0.55 the limit holds for what is not compressed", "10.4", script{text(echoText(over)), "close 1009"}},
	})
}

// TestBomb: a frame of a MiB that inflates to a GiB costs the server about
// max_frame.
func TestBomb(t *testing.T) {
	const limit = 4 * mib
	s := start(t, host.Mount{Compress: true, MaxFrame: limit})
	bomb := zeros(1024)
	if len(bomb) > limit {
		t.Fatalf("the bomb has %d bytes, so that its header is refused", len(bomb))
	}
	for _, frame := range [][]byte{build(fin|rsv1|opText, bomb), fragmentsOf(rsv1|opText, bomb, 1000)} {
		c, _, _ := s.dialDeflate(t, overTCP(), plainOffer)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.play(script{frame, "close 1009"})
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64*mib {
			t.Errorf("%d MiB were allocated for a message over the limit of %d MiB", n/mib, limit/mib)
		}
	}
	s.waitFor(t, 0, 0)
}

// corpora are the kinds of payload of 12.1 to 12.4; each returns n bytes of the
// inside of a JSON string, from some place on.
func corpora() []struct {
	name string
	make func(n, from int) string
} {
	rotate := func(all string) func(n, from int) string {
		return func(n, from int) string {
			from %= len(all)
			return strings.Repeat(all[from:]+all[:from], n/len(all)+1)[:n]
		}
	}
	var records strings.Builder
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 2000 {
		fmt.Fprintf(&records, `{'id':%d,'name':'user-%d','at':[%d,%d],'tags':['a','b']},`, i, r.IntN(500), r.IntN(1000), r.IntN(1000))
	}
	return []struct {
		name string
		make func(n, from int) string
	}{
		{"records", rotate(records.String())},
		{"noise", rotate(noise(200_001))},
		{"one letter", func(n, _ int) string { return strings.Repeat("z", n) }},
		{"alphabet", rotate(sized(1000))},
	}
}

// TestDeflatedSizes is group 12: messages of many sizes and kinds, one after
// the other on a connection, compressed both ways, whole and in fragments. Under the race
// detector they are fewer.
func TestDeflatedSizes(t *testing.T) {
	sizes := []struct{ bytes, count, fragment int }{
		{16, 200, 0},
		{64, 200, 0},
		{256, 200, 0},
		{1024, 100, 0},
		{4096, 100, 0},
		{8192, 50, 0},
		{16384, 30, 0},
		{32768, 20, 0},
		{65536, 10, 0},
		{131072, 10, 0},
		{8192, 50, 256},
		{16384, 30, 256},
		{32768, 20, 256},
		{65536, 10, 256},
		{131072, 10, 256},
		{131072, 10, 1024},
		{131072, 10, 4096},
		{131072, 10, 32768},
	}
	s := start(t, compressing())
	for i, kind := range corpora() {
		for j, size := range sizes {
			if raceEnabled {
				size.count = max(size.count/5, 4)
			}
			c := testCase{
				name:    fmt.Sprintf("12.%d.%d %s, %d messages of %d bytes in fragments of %d", i+1, j+1, kind.name, size.count, size.bytes, size.fragment),
				section: "RFC 7692 7.2",
			}
			t.Run(c.title(), func(t *testing.T) {
				client, d, _ := s.dialDeflate(t, overTCP(), plainOffer)
				for k := range size.count {
					payload := kind.make(size.bytes, k*size.bytes)
					z := d.deflate(echoText(payload))
					frame := build(fin|rsv1|opText, z)
					if size.fragment > 0 {
						frame = fragmentsOf(rsv1|opText, z, size.fragment)
					}
					client.write(frame)
					client.want(echoed(payload))
				}
				if n := client.squeezed.Load(); size.bytes >= 4096 && kind.name != "noise" && n < int64(size.count) {
					t.Errorf("of %d answers %d were compressed", size.count, n)
				}
				client.play(nil)
			})
		}
	}
	s.waitFor(t, 0, 0)
}

// TestDeflateParameters is group 13: a run of messages under each set of
// parameters, Autobahn's seven and those of the client's window. Under the race detector
// every third message is sent.
func TestDeflateParameters(t *testing.T) {
	const pmd = "permessage-deflate"
	step := 1
	if raceEnabled {
		step = 3
	}
	s := start(t, compressing())
	for i, offer := range []string{
		pmd,
		pmd + "; server_no_context_takeover, " + pmd,
		pmd + "; server_max_window_bits=9, " + pmd,
		pmd + "; server_max_window_bits=15, " + pmd,
		pmd + "; server_no_context_takeover; server_max_window_bits=9, " + pmd,
		pmd + "; server_no_context_takeover; server_max_window_bits=15, " + pmd,
		pmd + "; server_no_context_takeover; server_max_window_bits=9, " + pmd + "; server_no_context_takeover, " + pmd,
		pmd + "; client_no_context_takeover",
		pmd + "; client_no_context_takeover; server_no_context_takeover",
		pmd + "; client_max_window_bits=9",
	} {
		c := testCase{name: fmt.Sprintf("13.%d %s", i+1, offer), section: "RFC 7692 7.1"}
		t.Run(c.title(), func(t *testing.T) {
			client, d, _ := s.dialDeflate(t, overTCP(), offer)
			for k, kind := range corpora() {
				for n := 0; n < 30; n += step {
					payload := kind.make(n*n*40, n*(k+1))
					client.write(build(fin|rsv1|opText, d.deflate(echoText(payload))))
					client.want(echoed(payload))
				}
			}
			client.play(nil)
		})
	}
	s.waitFor(t, 0, 0)
}

// TestRandomBytesDeflated is TestRandomBytes with compressed frames among
// them, right and wrong.
func TestRandomBytesDeflated(t *testing.T) {
	squeezedAny := func(r *rand.Rand) []byte {
		message := echoText(sized(100 + r.IntN(5000)))
		level := flate.HuffmanOnly + r.IntN(12)
		return build(fin|rsv1|opText, newDeflater(level, true).deflate(message))
	}
	small := zeros(16)
	chaos(t, host.Mount{Compress: true}, "Sec-WebSocket-Extensions: "+plainOffer+"\r\n", append(
		sounds(), squeezedAny, squeezedAny, squeezedAny,
		func(r *rand.Rand) []byte { return mutated(r, squeezedAny(r)) },
		func(r *rand.Rand) []byte { return build(fin|rsv1|opText, string(randomBytes(r, r.IntN(2000)))) },
		func(r *rand.Rand) []byte {
			z := bytes.Clone([]byte(alone(echoText(sized(2000)))))
			return fragmentsOf(rsv1|opText, string(mutated(r, z)), 1+r.IntN(40))
		},
		func(*rand.Rand) []byte { return build(fin|rsv1|opText, small) },
	))
}
