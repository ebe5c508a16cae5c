// Package limit says how much is too much: token buckets for rates, and counts
// of what is there at once.
//
//   - A [Rate] is what a configuration says, such as "100/s burst 200"; [Parse]
//     reads it.
//   - A [Bucket] holds one owner's tokens: [Bucket.Take] before each message.
//   - [Keyed] holds a bucket for each key, in bounded memory: connections by
//     address.
//   - A [Counter] counts by key what is there now and has a maximum: open
//     connections by address.
//   - [AddressKey] makes a key of an address.
//
// A Rate and a Bucket have no lock: whoever owns the bucket calls it. Keyed and
// Counter are safe for concurrent use. Nothing here blocks, starts a goroutine or
// reads a clock.
//
// # Time
//
// Every now is the time since a fixed moment of the caller's choice, from a
// monotonic clock: time.Since(start). All calls for one bucket count from the
// same moment. A now before an earlier one, or before the moment, brings no
// tokens back and does no other harm.
//
// # Arithmetic
//
// A bucket keeps what was taken and has not come back, its debt, and when that
// was right. With a rate of Count tokens in Per, the debt is in units of 1/Count
// nanosecond: a token is Per units, and a nanosecond brings back Count units.
// Both are whole numbers, so nothing is ever rounded and nothing drifts:
//
//	7/m burst 2    capacity |-----------------------|  2 * 60e9 units
//	               debt     |---------------->         grows by 60e9 a token,
//	                                                    shrinks by 7 a nanosecond
//
// Over any stretch of time a bucket gives at most Burst tokens and those that
// came back meanwhile.
package limit
