package rfc6455_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host"
	"go.uber.org/goleak"
)

// Environment of the test with random bytes.
const (
	envChaos = "AVIARY_CHAOS"      // a duration such as 60s; two seconds if it is not set
	envSeed  = "AVIARY_CHAOS_SEED" // of an earlier run, to repeat what its clients sent
)

// vandals and bystanders are how many clients throw bytes, and how many go on
// with their echoes meanwhile.
const (
	vandals    = 8
	bystanders = 4

	// rampages is how many connections a vandal makes at least, so that on a
	// busy machine too every kind of bytes has been sent.
	rampages = 50
)

// TestRandomBytes: whatever clients send, the server goes on, others do not
// notice, and nothing is left of those clients.
func TestRandomBytes(t *testing.T) {
	chaos(t, host.Mount{}, "", sounds())
}

// chaos lets vandals hurl what generators make at a server with mount, on
// connections that ask for offer as their extensions.
func chaos(t *testing.T, mount host.Mount, offer string, generators []generator) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, append(leftByFasthttp(), before)...) }) // behind the server's
	length, seed := chaosLength(t), chaosSeed(t)
	t.Logf("%s=%d repeats what was sent", envSeed, seed)

	s := startLogging(t, mount, slog.LevelWarn)
	quiet := make([]*client, bystanders)
	for i := range quiet {
		quiet[i] = s.dial(t, ways()[i%2])
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	mob := &mob{t: t, server: s, offer: offer, generators: generators, closes: map[string]int{}}
	t.Cleanup(func() { cancel(); mob.work.Wait() })
	for i := range uint64(vandals) {
		mob.work.Go(func() { mob.vandal(ctx, rand.New(rand.NewPCG(seed, i)), i%2 == 0) })
	}
	echoes := 0
	for ; ctx.Err() == nil; echoes++ {
		c, payload := quiet[echoes%bystanders], sized(100+echoes%5000)
		c.write(echo(payload))
		c.want(echoed(payload))
	}
	mob.work.Wait()
	s.waitFor(t, bystanders, bystanders)
	for _, c := range quiet {
		c.play(script{echo("still here"), echoed("still here")})
	}
	s.waitFor(t, 0, 0)

	t.Logf("%d connections, %d echoes beside them, closed with %v", mob.count, echoes, mob.closes)
	for _, code := range []string{"close 1002", "close 1007", "close 1009", "close 1011", "another close"} {
		if mob.closes[code] == 0 {
			t.Errorf("no connection ended with %s: the bytes are not random enough", code)
		}
	}
	if log := s.log.String(); log != "" {
		t.Errorf("the server has warned:\n%.2000s", log)
	}
	if n := s.Info().Crashes; n != 0 {
		t.Errorf("%d callbacks failed", n)
	}
}

func chaosLength(t *testing.T) time.Duration {
	t.Helper()
	value := os.Getenv(envChaos)
	if value == "" {
		return 2 * time.Second
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		t.Fatalf("%s=%q is not a duration such as 60s", envChaos, value)
	}
	return d
}

func chaosSeed(t *testing.T) uint64 {
	t.Helper()
	value := os.Getenv(envSeed)
	if value == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q is not a number: %v", envSeed, value, err)
	}
	return seed
}

// mob are the vandals of one test and what they saw.
type mob struct {
	t          *testing.T
	server     *server
	offer      string
	generators []generator
	work       sync.WaitGroup

	mu     sync.Mutex
	count  int            // connections
	closes map[string]int // how they were closed, if they were
}

// vandal makes one connection after the other. What it sends follows from r
// alone.
func (m *mob) vandal(ctx context.Context, r *rand.Rand, tcp bool) {
	for n := 0; n < rampages || ctx.Err() == nil; n++ {
		conn, err := m.server.reach(tcp)
		if err != nil {
			m.t.Error(err)
			return
		}
		if err := m.rampage(conn, r); err != nil {
			m.t.Error(err)
		}
		m.mu.Lock()
		m.count++
		m.mu.Unlock()
	}
}

// rampage spends one connection. An error is a fault of the server's.
func (m *mob) rampage(conn net.Conn, r *rand.Rand) error {
	defer func() { _ = conn.Close() }() // the server may have been first
	bytes := m.volley(r)
	farewell := r.IntN(4)
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := conn.Write(handshake(m.offer)); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("handshake: %w, %+v", err, resp)
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	reader := make(chan error, 1)
	go func() { reader <- m.listen(in) }()
	for _, b := range bytes {
		_, err := conn.Write(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("the server has not read for %s", timeout)
		}
		if err != nil {
			break // it has hung up
		}
	}
	leave(conn, farewell)
	return <-reader
}

// leave ends a connection in one of the ways there are.
func leave(conn net.Conn, farewell int) {
	tcp, isTCP := conn.(*net.TCPConn)
	switch {
	case farewell == 0:
		_, _ = conn.Write(closing(1000, "")) // may find nobody
	case farewell == 1 && isTCP:
		_ = tcp.SetLinger(0) // the end is a reset
	}
	if isTCP && farewell != 1 {
		_ = tcp.CloseWrite() // and what comes is read to its end
		return
	}
	_ = conn.Close()
}

// listen reads until the connection ends. However it ends is well, but what
// the server sends must be frames.
func (m *mob) listen(in *bufio.Reader) error {
	for {
		f, err := readFrame(in)
		var bad badFrame
		switch {
		case errors.As(err, &bad):
			return err
		case err != nil:
			return nil
		case f.first&0x0f == opClose:
			m.closed(closeEvent(f.payload))
		}
	}
}

// closed counts how connections are closed. Codes that only answer the
// client's own count as one.
func (m *mob) closed(how string) {
	switch how {
	case "close 1002", "close 1007", "close 1009", "close 1011":
	default:
		how = "another close"
	}
	m.mu.Lock()
	m.closes[how]++
	m.mu.Unlock()
}

// volley is what a connection sends: often a good beginning, then anything.
func (m *mob) volley(r *rand.Rand) [][]byte {
	var all [][]byte
	if r.IntN(2) == 0 {
		all = append(all, text(`["1","1","t","phx_join",{}]`))
	}
	for range 1 + r.IntN(20) {
		all = append(all, m.generators[r.IntN(len(m.generators))](r))
	}
	return all
}

// generator makes some bytes for a client to send.
type generator func(r *rand.Rand) []byte

// sounds are the generators for a server without extensions.
func sounds() []generator {
	return []generator{
		phoenixFrame, phoenixFrame, phoenixFrame, // so that others find a connection that is still open
		func(r *rand.Rand) []byte { return randomFrame(r, randomBytes(r, r.IntN(300))) },
		func(r *rand.Rand) []byte { return randomFrame(r, randomBytes(r, r.IntN(70_000))) },
		func(r *rand.Rand) []byte { return mutated(r, phoenixFrame(r)) },
		func(r *rand.Rand) []byte { return randomBytes(r, 1+r.IntN(200)) },
		func(r *rand.Rand) []byte { f := phoenixFrame(r); return f[:r.IntN(len(f))] },
		hugeFrame, inFragments, closeFrame,
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// randomFrame has a header that may be right in any way but for what went
// before, and a mask.
func randomFrame(r *rand.Rand, payload []byte) []byte {
	ops := []byte{opContinuation, opText, opBinary, opClose, opPing, opPong}
	first := ops[r.IntN(len(ops))]
	if r.IntN(4) > 0 {
		first |= fin
	}
	if r.IntN(10) == 0 {
		first |= byte(r.IntN(8)) << 4
	}
	return masked(first, string(payload), [4]byte(randomBytes(r, 4)))
}

// phoenixFrame is a message that a client may send, on one of few topics.
func phoenixFrame(r *rand.Rand) []byte {
	ref := func() string { return []string{`null`, `"1"`, `"2"`, `17`, `"\u0031"`, `{}`}[r.IntN(6)] }
	topic := []string{"t", "u", "v", "phoenix", "", strings.Repeat("long", 70)}[r.IntN(6)]
	event := []string{"echo", "echo", "phx_join", "phx_join", "phx_leave", "heartbeat", "phx_reply", ""}[r.IntN(8)]
	payload := []string{`{}`, `null`, `"text"`, `[1,2,{"a":"` + sized(200+r.IntN(4000)) + `"}]`, `1e9`, `{"a":`}[r.IntN(6)]
	message := fmt.Sprintf(`[%s,%s,%q,%q,%s]`, ref(), ref(), topic, event, payload)
	return masked(fin|opText, message, [4]byte(randomBytes(r, 4)))
}

// mutated changes a few bits.
func mutated(r *rand.Rand, b []byte) []byte {
	for range 1 + r.IntN(4) {
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	}
	return b
}

// hugeFrame announces up to 2^64 bytes and sends a few.
func hugeFrame(r *rand.Rand) []byte {
	b := []byte{fin | byte(r.IntN(3)), 0x80 | 127}
	b = binary.BigEndian.AppendUint64(b, r.Uint64()>>r.IntN(64))
	return append(b, randomBytes(r, 4+r.IntN(100))...)
}

// inFragments is a message in fragments, with pings in between, of which one
// fragment may be missing.
func inFragments(r *rand.Rand) []byte {
	message := echoText(sized(200 + r.IntN(2000)))
	size := 1 + r.IntN(len(message))
	var b []byte
	for op, at := byte(opText), 0; at < len(message); op, at = opContinuation, at+size {
		end := min(at+size, len(message))
		if end == len(message) {
			op |= fin
		}
		if r.IntN(100) > 0 {
			b = append(b, build(op, message[at:end])...)
		}
		if r.IntN(3) == 0 {
			b = append(b, ping(message[at:min(at+r.IntN(100), len(message))])...)
		}
	}
	return b
}

// closeFrame has a body of any length and any code.
func closeFrame(r *rand.Rand) []byte {
	if r.IntN(2) == 0 {
		return closing(900+r.IntN(4500), "")
	}
	return build(fin|opClose, string(randomBytes(r, r.IntN(130))))
}
