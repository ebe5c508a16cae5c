package host

import "sync/atomic"

// users counts who may use something that the last of them puts away. It begins with the
// number of those who do from the start (Store).
type users struct{ atomic.Int32 }

// acquire makes the caller a user; false if there is none any more.
func (u *users) acquire() bool {
	for {
		n := u.Load()
		if n == 0 {
			return false
		}
		if u.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release tells that a user is none any more, and whether it was the last.
func (u *users) release() (last bool) { return u.Add(-1) == 0 }
