// Command bench measures what a channel message costs a Phoenix-compatible
// server, what a sandboxed guest costs over a native handler, and what either
// costs over the least that a server can do, the floor (bench/floor).
//
//	bench                                              floor, native and guests
//	bench -url ws://127.0.0.1:4000/socket -pid 1234    any running server
//
// A server under -url has to serve topics room:* as examples/bench does: the
// event echo is answered with its payload, shout is broadcast with it.
//
// # Scenarios
//
//	join cC        C connections, and what they cost until they are joined
//	echo cC kK     C connections, each in a room of its own, keep K pushes in
//	               flight each
//	fanout xM kK   M connections in one room; one of them keeps K broadcasts in
//	               flight
//
// Where the name has deafD, D of the members never read; the table compares the p99 of
// the others with that of the scenario in which all read.
//
// With -soak one handler gets the workload mixed instead, for so long.
//
// The package load has the generator, says what the workloads are, and insists on
// every reply and every delivery. Payloads have 64 bytes. Compare latencies of one
// scenario, not across.
//
// # Figures
//
// Client and server share the machine, and machines are noisy, so throughput
// says as much about the client and the neighbours as about the server. What
// survives is the server's CPU per message: user and system time of its whole
// process between the two ends of the window, over the messages that came back
// in it.
//
// Each scenario gets a fresh server process per handler. Handlers alternate
// within a round, so that a slow minute of the machine hits both, and rounds go
// over all scenarios. A figure is the median of the rounds; the ratio is the
// median of the ratios within the rounds, not the ratio of the medians.
package main
