// Package fair divides the processors between the tenants whose guests run on them:
// who computes for long waits for others who do, and nobody else waits at all.
//
//	NewScheduler ──> Scheduler ── Tenant(config) ──> Tenant
//	                                                   ├─ Admit ── Refund    fuel per second
//	                                                   └─ Turn: Begin ── Slice ... ── End
//
// # Turns
//
// A callback begins at once. At the end of its first slice of fuel it is a hog: it
// needs a turn, of which there are one less than processors. A turn lasts for a
// quantum of fuel, and goes on where nobody waits. Who is next is decided by deficit
// round robin over the tenants, on fuel and by weight: a tenant with a hundred hogs
// gets as much as one with a single one. Within a tenant the first comes first.
//
// A tenant may take more than its share with short callbacks too. Such a tenant is
// heavy: as long as it is, its callbacks need a turn of another kind before they
// begin, of which there are as many as processors. With one tenant nobody is heavy.
//
// # Quotas
//
// Fuel per second is a bucket that callbacks may leave in debt: what they will spend
// is not known before. Memory and log lines of a tenant are counted here as well,
// since all plugins of a tenant share them.
//
// # Concurrency and ownership
//
// A Scheduler and its Tenants may be used from any goroutine. A [Turn] belongs to
// one callback at a time; [Turn.Begin] and [Turn.End] do not block. The package starts no
// goroutines. Callers do what a method says that they must, as a turn which is not
// given back is one that nobody has.
package fair
