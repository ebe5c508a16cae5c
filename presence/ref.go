package presence

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// refMaker makes phx_refs that are never used twice: the first eight bytes grow
// with every ref of this tracker, whatever the clock does, and the other four
// set trackers apart.
type refMaker struct {
	start time.Time    // with a monotonic reading: setting the clock back has no effect
	last  atomic.Int64 // time of the latest ref, ns since 1970
	node  uint32
}

func newRefMaker() refMaker {
	var node [4]byte
	_, _ = rand.Read(node[:]) // never fails (crypto/rand)
	return refMaker{start: time.Now(), node: binary.BigEndian.Uint32(node[:])}
}

// next returns a new ref of 16 characters.
func (m *refMaker) next() string {
	return m.at(m.start.UnixNano() + int64(time.Since(m.start)))
}

// at is next at a given time.
func (m *refMaker) at(now int64) string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:8], uint64(m.tick(now)))
	binary.BigEndian.PutUint32(b[8:], m.node)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// tick returns now, or the first later nanosecond that nobody has had.
func (m *refMaker) tick(now int64) int64 {
	for {
		last := m.last.Load()
		ns := max(now, last+1)
		if m.last.CompareAndSwap(last, ns) {
			return ns
		}
	}
}
