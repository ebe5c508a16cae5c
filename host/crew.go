package host

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// crew runs what is done on behalf of sockets beside the goroutines that read. A
// goroutine stays for a while when it has nothing more to do: its stack has grown to
// what a callback needs, which costs a new one as much as the callback.
type crew struct {
	sync.WaitGroup // counts sockets, connections and what is run

	ended context.Context // of the server: nobody stays any more
	tasks chan func()     // taken by those who stay
	idle  atomic.Int32
}

func (c *crew) init(ended context.Context) {
	c.ended, c.tasks = ended, make(chan func())
}

// maxIdle is how many goroutines stay.
func maxIdle() int32 { return int32(8 * runtime.GOMAXPROCS(0)) }

// Go runs f on another goroutine; it does not block.
func (c *crew) Go(f func()) {
	c.Add(1)
	select {
	case c.tasks <- f:
	default:
		go c.member(f)
	}
}

func (c *crew) member(f func()) {
	for f != nil {
		f()
		c.Done()
		f = c.next()
	}
}

// next waits for more to do; nil if the caller is to go.
func (c *crew) next() (f func()) {
	if c.idle.Add(1) <= maxIdle() {
		select {
		case f = <-c.tasks:
		case <-c.ended.Done():
		}
	}
	c.idle.Add(-1)
	return f
}
