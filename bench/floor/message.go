package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

const (
	opText  = 0x81 // final text frame, RFC 6455 section 5.2
	opClose = 0x88
	maskBit = 0x80

	// maxFrame is more than the benchmark's clients send.
	maxFrame = 64 << 10
)

var errClient = errors.New("a client of the benchmark does not send this")

// nextFrame unmasks the first frame of b in place and returns how many bytes it
// took; 0 when b does not hold all of it.
func nextFrame(b []byte) (op byte, payload []byte, n int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	length, head := int(b[1]&^maskBit), 2
	if length == 126 {
		if len(b) < 4 {
			return 0, nil, 0, nil
		}
		length, head = int(binary.BigEndian.Uint16(b[2:])), 4
	}
	if b[1]&maskBit == 0 || length == 127 {
		return 0, nil, 0, errClient
	}
	n = head + 4 + length
	if len(b) < n {
		return 0, nil, 0, nil
	}
	unmask(b[head+4:n], b[head:head+4])
	return b[0], b[head+4 : n], n, nil
}

// unmask takes the mask off, eight bytes at a time.
func unmask(b, key []byte) {
	k := uint64(binary.LittleEndian.Uint32(key))
	k |= k << 32
	i := 0
	for ; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], binary.LittleEndian.Uint64(b[i:])^k)
	}
	for ; i < len(b); i++ {
		b[i] ^= key[i&3]
	}
}

// message is a message of serializer 2.0.0, taken apart at its commas. All but
// the event are JSON texts.
type message struct {
	joinRef, ref, topic []byte
	event               string
	payload             []byte
}

// split takes a message apart; its parts are views of text.
func split(text []byte) (m message, err error) {
	if len(text) < 2 || text[0] != '[' {
		return m, errClient
	}
	rest := text[1 : len(text)-1]
	var head [4][]byte
	for i := range head {
		at := bytes.IndexByte(rest, ',')
		if at < 0 {
			return m, errClient
		}
		head[i], rest = rest[:at], rest[at+1:]
	}
	m = message{joinRef: head[0], ref: head[1], topic: head[2], payload: rest}
	m.event = eventOf(head[3])
	return m, nil
}

// eventOf names the events that there are without allocating them.
func eventOf(text []byte) string {
	switch string(text) {
	case `"echo"`:
		return "echo"
	case `"shout"`:
		return "shout"
	case `"phx_join"`:
		return "phx_join"
	case `"heartbeat"`:
		return "heartbeat"
	}
	return ""
}

// appendReply appends the frame that answers m.
func appendReply(dst []byte, m message, status string, response []byte) []byte {
	const head = `[,,,"phx_reply",{"response":,"status":""}]`
	dst = appendHeader(dst, len(head)+len(m.joinRef)+len(m.ref)+len(m.topic)+len(response)+len(status))
	dst = append(append(append(dst, '['), m.joinRef...), ',')
	dst = append(append(append(dst, m.ref...), ','), m.topic...)
	dst = append(append(dst, `,"phx_reply",{"response":`...), response...)
	return append(append(append(dst, `,"status":"`...), status...), `"}]`...)
}

// appendBroadcast appends the frame that delivers m.
func appendBroadcast(dst []byte, m message) []byte {
	const around = `[null,null,,"",]`
	dst = appendHeader(dst, len(around)+len(m.topic)+len(m.event)+len(m.payload))
	dst = append(append(dst, `[null,null,`...), m.topic...)
	dst = append(append(append(dst, `,"`...), m.event...), `",`...)
	return append(append(dst, m.payload...), ']')
}

// appendHeader appends the header of a text frame of n bytes.
func appendHeader(dst []byte, n int) []byte {
	if n < 126 {
		return append(dst, opText, byte(n))
	}
	return binary.BigEndian.AppendUint16(append(dst, opText, 126), uint16(n))
}

// upgrade answers a request that opens a WebSocket (RFC 6455 section 4.2.2) and
// returns the length of the request; 0 while b does not hold all of it.
func upgrade(b []byte) (answer []byte, n int, err error) {
	head, _, done := bytes.Cut(b, []byte("\r\n\r\n"))
	if !done {
		return nil, 0, nil
	}
	_, key, ok := bytes.Cut(head, []byte("Sec-WebSocket-Key: "))
	key, _, _ = bytes.Cut(key, []byte("\r\n"))
	if !ok {
		return nil, 0, errClient
	}
	sum := sha1.Sum(append(bytes.Clone(key), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	answer = append(answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	answer = append(base64.StdEncoding.AppendEncode(answer, sum[:]), "\r\n\r\n"...)
	return answer, len(head) + 4, nil
}
