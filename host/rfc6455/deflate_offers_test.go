package rfc6455_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host"
)

// compressing is a mount with permessage-deflate.
func compressing() host.Mount {
	return host.Mount{Compress: true, MaxFrame: mib, QueueBytes: 64 * mib}
}

// TestOffers is section 7.1 of RFC 7692: which offers are agreed to. Whatever
// the answer, it must be a right one, and messages pass both ways.
func TestOffers(t *testing.T) {
	const pmd = "permessage-deflate"
	// What a server makes of an offer: it has to agree, it has to decline, or
	// may do either, as with a window that its compressor does not have.
	const (
		agrees   = "agrees"
		declines = "declines"
		either   = "either"
	)
	type offerCase struct{ section, offer, want string }
	cases := []offerCase{
		{"7.1", pmd, agrees},
		{"7.1.1.1", pmd + "; server_no_context_takeover", agrees},
		{"7.1.1.2", pmd + "; client_no_context_takeover", agrees},
		{"7.1.1", pmd + "; server_no_context_takeover; client_no_context_takeover", agrees},
		{"7.1.2.2", pmd + "; client_max_window_bits", agrees},
		{"7.1.2.1", pmd + "; server_max_window_bits=15", agrees},
		{"7.1.2.1", pmd + `; server_max_window_bits="15"`, agrees},
		{"7.1.2.1", pmd + "; server_max_window_bits=8", either},
		{"7.1.2.2", pmd + "; client_max_window_bits=8", either},
		{"7.1.3", pmd + "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15; client_max_window_bits=15", agrees},

		{"7.1", pmd + "; unknown", declines},
		{"7.1", pmd + "; unknown=1", declines},
		{"7.1", pmd + "; server_no_context_takeover=1", declines},
		{"7.1", pmd + "; client_no_context_takeover=true", declines},
		{"7.1", pmd + "; server_max_window_bits", declines},
		{"7.1", pmd + "; client_max_window_bits; client_max_window_bits", declines},
		{"7.1", pmd + "; client_max_window_bits=10; client_max_window_bits=10", declines},
		{"7.1", pmd + "; server_max_window_bits=15; server_max_window_bits=15", declines},
		{"7.1", pmd + "; server_no_context_takeover; server_no_context_takeover", declines},
		{"7.1", pmd + "; client_no_context_takeover; client_no_context_takeover", declines},
		{"7.1", pmd + "; unknown; server_no_context_takeover", declines},

		{"5", "permessage-bzip2", declines},
		{"5", "x-webkit-deflate-frame", declines},
		{"5", "permessage-deflat", declines},
		{"5", "unknown, " + pmd, agrees},
		{"5", "unknown; server_max_window_bits=9; a, " + pmd + "; client_max_window_bits", agrees},
		{"5.2", pmd + "; unknown, " + pmd, agrees},
		{"5.2", pmd + "; server_max_window_bits=99, " + pmd + "; server_no_context_takeover", agrees},
		{"5.2", pmd + "; server_max_window_bits=10, " + pmd, agrees},
		{"5.2", pmd + ", " + pmd + "; server_no_context_takeover", agrees},
		{"5", pmd + "\r\nSec-WebSocket-Extensions: unknown", agrees},
		{"5", "unknown\r\nSec-WebSocket-Extensions: " + pmd, agrees},
	}
	for bits := 9; bits <= 15; bits++ {
		server := either
		if bits == 15 {
			server = agrees
		}
		cases = append(
			cases,
			offerCase{"7.1.2.1", fmt.Sprintf("%s; server_max_window_bits=%d", pmd, bits), server},
			offerCase{"7.1.2.2", fmt.Sprintf("%s; client_max_window_bits=%d", pmd, bits), agrees},
		)
	}
	for _, value := range []string{"0", "7", "16", "015", "1", "99999999999999999999", "-9", "x", "9.0"} {
		cases = append(
			cases,
			offerCase{"7.1.2.1", pmd + "; server_max_window_bits=" + value, declines},
			offerCase{"7.1.2.2", pmd + "; client_max_window_bits=" + value, declines},
		)
	}
	s := start(t, compressing())
	for _, tt := range cases {
		t.Run(fmt.Sprintf("13.0 %s %q, RFC 7692 %s", tt.want, tt.offer, tt.section), func(t *testing.T) {
			c := s.connect(t, overTCP(), "Sec-WebSocket-Extensions: "+tt.offer+"\r\n")
			declined := len(c.answer) == 0
			if declined && tt.want == agrees || !declined && tt.want == declines {
				t.Fatalf("answered %q", c.answer)
			}
			if declined {
				c.listen()
				c.join()
				c.play(script{echo(sized(5000)), echoed(sized(5000)), squeezed(echoText("x")), "close 1002"})
				return
			}
			exchange(t, s, strings.ReplaceAll(tt.offer, "\r\nSec-WebSocket-Extensions: ", ", "), tt.offer)
		})
	}
}

// exchange sends and receives some messages on a connection that was offered
// header, which means offers.
func exchange(t *testing.T, s *server, offers, header string) {
	t.Helper()
	c := s.connect(t, overTCP(), "Sec-WebSocket-Extensions: "+header+"\r\n")
	a, err := agree(offers, c.answer)
	if err != nil {
		t.Fatal(err)
	}
	c.inflate = (&inflater{size: 1 << a.serverBits, fresh: a.serverFresh}).inflate
	c.listen()
	c.join()
	play := script{}
	for i := range 5 {
		payload := sized(100 + 2000*i)
		play = append(play, squeezed(echoText(payload)), echo(payload), echoed(payload), echoed(payload))
	}
	c.play(play)
}

// TestMalformedOffers: a header that does not follow the grammar is refused or
// ignored, and never agreed to (RFC 6455 section 9.1).
func TestMalformedOffers(t *testing.T) {
	s := start(t, compressing())
	for _, offer := range []string{
		"", ",", ";", "permessage-deflate;", "permessage-deflate; =15", "permessage-deflate; server_max_window_bits=",
		`permessage-deflate; server_max_window_bits="15`, "permessage-deflate server_no_context_takeover", "permessage deflate",
		"permessage-deflate;;client_max_window_bits", "=permessage-deflate", strings.Repeat("permessage-deflate; unknown, ", 50),
	} {
		t.Run(fmt.Sprintf("13.0 %.60q, RFC 6455 9.1", offer), func(t *testing.T) {
			conn, err := s.reach(true)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }() // the server may have been first
			if _, err := conn.Write(handshake("Sec-WebSocket-Extensions: " + offer + "\r\n")); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Fatal(err)
			}
			answer := resp.Header.Values("Sec-WebSocket-Extensions")
			switch {
			case resp.StatusCode == http.StatusBadRequest:
			case resp.StatusCode != http.StatusSwitchingProtocols:
				t.Errorf("status %d", resp.StatusCode)
			case len(answer) > 0:
				t.Errorf("agreed to %q", answer)
			}
		})
	}
	s.waitFor(t, 0, 0)
}

// TestServerWindow: a server that has agreed to a small window does not look
// back further. What repeats beyond the window costs as much as the first time.
func TestServerWindow(t *testing.T) {
	s := start(t, compressing())
	for bits := 9; bits <= 14; bits++ {
		offer := fmt.Sprintf("permessage-deflate; server_max_window_bits=%d", bits)
		t.Run("13.8 "+offer+", RFC 7692 7.1.2.1", func(t *testing.T) {
			c := s.connect(t, overTCP(), "Sec-WebSocket-Extensions: "+offer+"\r\n")
			if len(c.answer) == 0 {
				return // declined, which TestOffers allows
			}
			a, err := agree(offer, c.answer)
			if err != nil {
				t.Fatal(err)
			}
			i := &inflater{size: 1 << a.serverBits, fresh: a.serverFresh}
			var sizes []int
			c.inflate = func(p []byte) ([]byte, error) {
				sizes = append(sizes, len(p))
				return i.inflate(p)
			}
			c.listen()
			c.join()
			once := noise(2 << bits)
			c.play(script{echo(once), echoed(once), echo(once + once), echoed(once + once)})
			if n := len(sizes); n >= 2 && sizes[n-1] < sizes[n-2]*17/10 {
				t.Errorf("%d bytes of noise took %d, twice the same %d: it looks back further than %d", len(once), sizes[n-2], sizes[n-1], 1<<bits)
			}
		})
	}
}

// noise is text that does not compress but for its alphabet.
func noise(n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}
