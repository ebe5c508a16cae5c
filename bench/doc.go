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
// # Workloads
//
// All are closed loops over joined channels, with payloads of 64 bytes.
//
//	echo cC kK     C connections, each in a room of its own, keep K pushes in
//	               flight each; a message is a push and its reply
//	fanout xM kK   M connections in one room; one of them keeps K broadcasts in
//	               flight, and a broadcast is over when all M, the sender too,
//	               have got it; a message is one delivery
//
// A closed loop does not show how a server behaves past what it can bear, and
// its latency grows with what is in flight: compare latencies of one workload,
// not across.
//
// # Correctness
//
// A number is worth nothing if the server did not do the work. Refs are counted
// per connection and every reply must be the very next one, ok, with the payload
// that was sent; broadcasts are numbered and every member must get every one,
// once, in order. The first frame of each connection is taken apart with
// encoding/json; later ones are compared byte for byte with it around the
// number, and taken apart only where they differ. After the window the loop
// waits until all that was sent is answered and watches for a surplus. Whatever
// is off ends the run as an error.
//
// # Figures
//
// Client and server share the machine, and machines are noisy, so throughput
// says as much about the client and the neighbours as about the server. What
// survives is the server's CPU per message: user and system time of its whole
// process (garbage collector and all) between the two ends of the window, over
// the messages that came back in it. It is read from the process's CPU clock
// (clock_getcpuclockid(3)), which the scheduler keeps in nanoseconds and which
// counts threads that have ended. The alternatives are worse: /proc/PID/stat
// counts ticks of 10 ms, /proc/PID/task/*/schedstat forgets ended threads, and
// getrusage is known only after the exit. The client's own CPU stands beside it;
// it is not small, as it pays for its own half of every packet.
//
// Latency is from the write of a push to the end of the read that brought its
// reply, on the client. It is kept in buckets about 1.6 % wide.
//
// Each scenario gets a fresh server process per handler. Handlers alternate
// within a round, so that a slow minute of the machine hits both, and rounds go
// over all scenarios. A figure is the median of the rounds; the ratio is the
// median of the ratios within the rounds, not the ratio of the medians.
//
// # Load generator
//
// One thread, one epoll, non-blocking sockets: it costs the least of the CPU
// that the server wants. What a connection's read brought is answered in one
// write; pushes are masked frames made in advance, in which only the ref
// changes. It needs Linux.
package main
