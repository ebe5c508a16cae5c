// Package load puts load on a server of Phoenix channels, over WebSockets with
// serializer 2.0.0, and measures it. Run does one workload and returns its
// figures. `aviary bench` is its command line, and the benchmark in bench runs it
// against several servers.
//
// # Workloads
//
//	join       connect and join; then hold the connections, with heartbeats
//	echo       each connection keeps so many pushes in flight; a message is a push
//	           and its reply. The event echo has to be answered with its payload
//	fanout     all join one topic; one of them keeps so many broadcasts in flight,
//	           or sends so many a second; a message is one delivery. The event
//	           shout has to be broadcast to all, the sender too
//	presence   all connect and join one topic, until each has seen all the others;
//	           a message is a presence_state or presence_diff. The user's key is
//	           what the payload of the join says as user
//	reconnect  all connections are dropped at once, then made and joined again
//
// All but fanout with a rate are closed loops: they do not show how a server
// behaves past what it can bear, and their latency grows with what is in flight.
// With a rate, latency counts from when a broadcast was due, however late it left.
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
// is off ends the run as an error that quotes the server.
//
// # Figures
//
// Server CPU is user and system time of its whole process (garbage collector and
// all). It is read from the process's CPU clock (clock_getcpuclockid(3)), which
// the scheduler keeps in nanoseconds and which counts threads that have ended.
// The alternatives are worse: /proc/PID/stat counts ticks of 10 ms,
// /proc/PID/task/*/schedstat forgets ended threads, and getrusage is known only
// after the exit. The client's own CPU stands beside it; it is not small, as it
// pays for its own half of every packet. Where it is near a whole core, the
// generator and not the server was the limit, and Result.Warning says so.
//
// Latency is from the write of a push to the end of the read that brought its
// reply, on the client. It is kept in buckets about 1.6 % wide.
//
// # Load generator
//
// One thread, one epoll, non-blocking sockets: it costs the least of the CPU
// that the server wants. What a connection's read brought is answered in one
// write; pushes are masked frames made in advance, in which only the ref
// changes. It needs Linux. Run is not to be called twice at once: the CPU of the
// process is taken for that of the loop.
package load
