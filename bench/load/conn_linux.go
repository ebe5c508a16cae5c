package load

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

var errClosed = errors.New("server closed the connection")

// stage is how far a connection is.
type stage byte

const (
	stageConnecting stage = iota
	stageUpgrading
	stageJoining
	stageJoined
)

func (s stage) String() string {
	return [...]string{"connecting", "waiting for the upgrade", "joining", "joined"}[s]
}

// conn is one connection, of the loop.
type conn struct {
	fd     int // -1 when there is none
	index  int // in loop.conns
	topic  string
	stage  stage
	accept string // what has to answer our handshake
	joined int    // channels

	answered []bool // of each channel, while joining

	began time.Duration
	rest  []byte // begun frame, from an earlier read
	out   []byte // frames to write
	dirty bool   // in loop.dirty
	armed bool   // epoll watches for room to write
	beats int    // heartbeats that are not answered

	frames int  // messages queued, ever
	deaf   bool // nothing is read

	// Of the workload.
	push   *push
	sent   int // number of the next push
	expect int // number of the next message
	sentAt []time.Duration
	known  pattern
	seen   []uint64 // of Presence: a bit for each user
	users  int      // bits in seen
	part   part     // of Mixed
}

// connect begins to connect to e, from the address that source gives.
func (c *conn) connect(e endpoint, source [4]byte) (err error) {
	family, to := unix.AF_INET, unix.Sockaddr(nil)
	if ip4 := e.addr.IP.To4(); ip4 != nil {
		to = &unix.SockaddrInet4{Port: e.addr.Port, Addr: [4]byte(ip4)}
	} else {
		family, to = unix.AF_INET6, &unix.SockaddrInet6{Port: e.addr.Port, Addr: [16]byte(e.addr.IP.To16())}
	}
	c.fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		c.fd = -1
		return fmt.Errorf("socket: %w", err)
	}
	if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if source != [4]byte{} {
		// The port is chosen by connect then, which may take one that another destination has.
		if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return err
		}
		if err := unix.Bind(c.fd, &unix.SockaddrInet4{Addr: source}); err != nil {
			return fmt.Errorf("bind to %v: %w", source, err)
		}
	}
	if err := unix.Connect(c.fd, to); err != nil && err != unix.EINPROGRESS {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

// connected tells whether connect has come to its end, and how.
func (c *conn) connected() error {
	code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = fmt.Errorf("connect: %w", unix.Errno(code))
	}
	return err
}

// drop closes c in the way of d, so that it can be connected again.
func (c *conn) drop(d Drop) error {
	var err error
	switch d {
	case DropReset:
		err = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	case DropClose:
		c.out = appendClientFrame(c.out, opClose, []byte{1000 >> 8, 1000 & 0xff})
		err = c.write()
	}
	err = errors.Join(err, unix.Close(c.fd))
	c.fd, c.stage, c.joined, c.beats, c.answered = -1, stageConnecting, 0, 0, nil
	c.rest, c.out, c.armed, c.deaf = c.rest[:0], c.out[:0], false, false
	return err
}

// read reads once behind what c has left over; nil bytes mean there was
// nothing.
func (c *conn) read(buf []byte) ([]byte, error) {
	have := copy(buf, c.rest)
	for {
		n, err := unix.Read(c.fd, buf[have:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("%w: read: %w", errClosed, err)
		case n == 0:
			return nil, errClosed
		}
		return buf[:have+n], nil
	}
}

// write writes as much of c.out as the kernel takes.
func (c *conn) write() error {
	for len(c.out) > 0 {
		n, err := unix.Write(c.fd, c.out)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return fmt.Errorf("%w: write: %w", errClosed, err)
		}
		c.out = c.out[:copy(c.out, c.out[n:])]
	}
	return nil
}
