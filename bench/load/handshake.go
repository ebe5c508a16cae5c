package load

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

var errHandshake = errors.New("handshake failed")

// endpoint is where clients connect.
type endpoint struct {
	addr *net.TCPAddr
	host string // of the Host header
	path string
}

// parseEndpoint takes the URL that one would give to phoenix.js, such as
// ws://127.0.0.1:4000/socket.
func parseEndpoint(text string, params map[string]string) (endpoint, error) {
	u, err := url.Parse(text)
	if err != nil {
		return endpoint{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if u.Scheme != "ws" || u.Host == "" {
		return endpoint{}, fmt.Errorf("%w: url %q is not like ws://127.0.0.1:4000/socket; TLS is not spoken", ErrConfig, text)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	addr, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return endpoint{}, fmt.Errorf("%w: url %q: %w", ErrConfig, text, err)
	}
	query := u.Query()
	for name, value := range params {
		query.Set(name, value)
	}
	query.Set("vsn", "2.0.0")
	path := strings.TrimSuffix(strings.TrimSuffix(u.EscapedPath(), "/"), "/websocket") + "/websocket?" + query.Encode()
	return endpoint{addr: addr, host: u.Host, path: path}, nil
}

// onLoopback tells whether all of 127.0.0.0/8 can be a client's address.
func (e endpoint) onLoopback() bool { return e.addr.IP.To4() != nil && e.addr.IP.IsLoopback() }

// handshake returns the request that opens a WebSocket (RFC 6455 section 4.1)
// and the value of Sec-WebSocket-Accept that answers it.
func (e endpoint) handshake() (request []byte, accept string) {
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	request = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n", e.path, e.host, key)
	return request, base64.StdEncoding.EncodeToString(sum[:])
}

// checkHandshake checks the server's answer and returns its length; 0 while b
// does not hold all of it.
func checkHandshake(b []byte, accept string) (n int, err error) {
	const most = 16 << 10
	head, _, done := bytes.Cut(b, []byte("\r\n\r\n"))
	if !done {
		if len(b) > most {
			return 0, fmt.Errorf("%w: the header does not end", errHandshake)
		}
		return 0, nil
	}
	lines := strings.Split(string(head), "\r\n")
	if !strings.HasPrefix(lines[0], "HTTP/1.1 101") {
		return 0, fmt.Errorf("%w: %s", errHandshake, excerpt(b))
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Sec-WebSocket-Accept") && strings.TrimSpace(value) == accept {
			return len(head) + 4, nil
		}
	}
	return 0, fmt.Errorf("%w: Sec-WebSocket-Accept does not answer our key", errHandshake)
}
