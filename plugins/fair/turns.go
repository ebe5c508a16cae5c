package fair

// turns hands out a number of turns to tenants by deficit round robin on fuel. It
// knows no clock and no goroutines; the caller holds a lock.
//
// A tenant in the ring that has waiters is served while its credit is above zero.
// When it is not, it gets a quantum for each unit of its weight, and the next one is
// looked at. What a turn has spent is taken off the credit when it ends; until then
// the advance is.
type turns struct {
	free    int   // turns that nobody holds; above zero only while nobody waits
	quantum int64 // fuel for a weight of 1 in a round, and of a turn
	advance int64 // fuel taken off when a turn begins, until it is known better

	ring    []*account // those that hold or wait, in the order in which they are served
	at      int        // whose turn it is in ring
	waiting int        // tickets in all queues
}

// account is what turns knows of a tenant.
type account struct {
	weight int64
	credit int64
	holds  int       // turns
	queue  []*ticket // waiting, in order
}

// ticket stands for a callback that waits.
type ticket struct {
	ready chan struct{} // gets one value when the turn is there; room for one
}

// ask takes a turn if one is free, else it queues w, whose channel tells.
func (r *turns) ask(a *account, w *ticket) (got bool) {
	r.join(a)
	if r.free > 0 {
		r.grant(a)
		return true
	}
	r.enqueue(a, w)
	return false
}

// again ends a turn that has spent so much fuel and asks for the next. Where nobody
// waits that one begins at once, and what was spent is not charged: it was nobody
// else's.
func (r *turns) again(a *account, w *ticket, spent int64) (got bool) {
	if r.waiting == 0 {
		return true
	}
	r.enqueue(a, w) // before the turn is given: the tenant stays in the ring
	r.give(a, spent)
	return false
}

// give gives back a turn that has spent so much fuel, and hands it on.
func (r *turns) give(a *account, spent int64) {
	r.free++
	a.holds--
	a.credit += r.advance - spent
	r.depart(a)
	for r.free > 0 && r.waiting > 0 {
		next := r.next()
		w := next.queue[0]
		next.queue[0] = nil
		next.queue = next.queue[1:]
		r.waiting--
		r.grant(next)
		w.ready <- struct{}{} // never blocks: room for one, sent once
	}
}

// leave takes w out of its queue. It fails if w has got its turn meanwhile.
func (r *turns) leave(a *account, w *ticket) bool {
	for i, other := range a.queue {
		if other == w {
			a.queue = append(a.queue[:i], a.queue[i+1:]...)
			r.waiting--
			r.depart(a)
			return true
		}
	}
	return false
}

func (r *turns) grant(a *account) {
	r.free--
	a.holds++
	a.credit -= r.advance
}

func (r *turns) enqueue(a *account, w *ticket) {
	if w.ready == nil {
		w.ready = make(chan struct{}, 1)
	}
	a.queue = append(a.queue, w)
	r.waiting++
}

// next returns the account that is served next; there is one with waiters.
func (r *turns) next() *account {
	a := r.round()
	if a == nil { // all are in debt
		r.skip()
	}
	for a == nil {
		a = r.round()
	}
	return a
}

// round looks at each account once for one to serve.
func (r *turns) round() *account {
	for range r.ring {
		a := r.ring[r.at]
		if len(a.queue) > 0 && a.credit > 0 {
			return a
		}
		r.topUp(a, 1)
		r.step()
	}
	return nil
}

// skip has the rounds happen at once in which everybody would stay in debt.
func (r *turns) skip() {
	rounds := int64(-1)
	for _, a := range r.ring {
		n := max(0, -a.credit/(a.weight*r.quantum))
		if len(a.queue) > 0 && (rounds < 0 || n < rounds) {
			rounds = n
		}
	}
	for _, a := range r.ring {
		r.topUp(a, rounds)
	}
}

// topUp gives an account that waits what it gets in so many rounds.
func (r *turns) topUp(a *account, rounds int64) {
	if len(a.queue) > 0 {
		a.credit += rounds * a.weight * r.quantum
	}
}

func (r *turns) step() {
	if r.at++; r.at >= len(r.ring) {
		r.at = 0
	}
}

// join puts a into the ring, if it is not there, to be served last.
func (r *turns) join(a *account) {
	if a.holds > 0 || len(a.queue) > 0 {
		return
	}
	a.credit = min(a.credit, 0) // what one leaves unused is not kept
	r.ring = append(r.ring, nil)
	copy(r.ring[r.at+1:], r.ring[r.at:])
	r.ring[r.at] = a
	r.step()
}

// depart takes a out of the ring once it neither holds nor waits.
func (r *turns) depart(a *account) {
	if a.holds > 0 || len(a.queue) > 0 {
		return
	}
	for i, other := range r.ring {
		if other != a {
			continue
		}
		r.ring = append(r.ring[:i], r.ring[i+1:]...)
		if i < r.at {
			r.at--
		}
		if r.at >= len(r.ring) {
			r.at = 0
		}
		return
	}
}
