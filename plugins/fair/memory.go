package fair

import "sync"

// memory is what the instances of a tenant may have together.
type memory struct {
	limit int64 // bytes, 0: unlimited

	mu    sync.Mutex // guards the following
	used  int64
	wakes []wake
}

// wake is who wants to know when there is room.
type wake struct {
	bytes int64
	call  func()
}

// Reserve takes memory for an instance, if there is as much left.
func (t *Tenant) Reserve(bytes int64) bool {
	m := &t.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.fits(bytes) {
		return false
	}
	m.used += bytes
	return true
}

func (m *memory) fits(bytes int64) bool { return m.limit == 0 || bytes <= m.limit-m.used }

// Unreserve gives back memory. It calls those that wait for it.
func (t *Tenant) Unreserve(bytes int64) {
	m := &t.memory
	m.mu.Lock()
	m.used -= bytes
	wakes := m.wakes
	m.wakes = nil
	m.mu.Unlock()
	for _, w := range wakes {
		t.WhenFree(w.bytes, w.call)
	}
}

// WhenFree has call called once when so much memory is left, at once if it is. It
// must not block.
func (t *Tenant) WhenFree(bytes int64, call func()) {
	m := &t.memory
	m.mu.Lock()
	now := m.fits(bytes)
	if !now {
		m.wakes = append(m.wakes, wake{bytes, call})
	}
	m.mu.Unlock()
	if now {
		call()
	}
}

// Memory returns what the tenant may have, 0 for no limit, and what of it is taken,
// in bytes.
func (t *Tenant) Memory() (limit, used int64) {
	m := &t.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.limit, m.used
}
