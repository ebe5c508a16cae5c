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
//	           what the payload of the join says as user. With a rate so many
//	           visitors a second come then, and go after a second, of whom each
//	           member has to be told; a message is a presence_diff at a member, its
//	           latency from the oldest change in it
//	reconnect  all connections are dropped at once, then made and joined again
//	mixed      a soak: of ten connections three stay in one room, of which the first
//	           broadcasts at a rate; four push in rooms of their own as often, unless
//	           their last pushes are not answered; two join and leave the room and one of
//	           their own in turn; one is dropped, in all three ways, and comes again
//
// Of fanout and mixed some connections may never read. They are filled with echoes
// until the kernel has no room for more, so that the server has to do something about
// them. In a mixed run they come again when it has cut them off.
//
// All but fanout with a rate, and mixed, are closed loops: they do not show how a server
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
// In a mixed run a member must get every broadcast, once, in order, from the reply to
// its join on: the first it gets was sent after its join at the earliest, and is the
// first that was sent after the reply at the latest. It leaves when it has got all that
// was sent before it wished to. So a server has to put joins and broadcasts of a topic
// in one order, and send nothing of a topic after phx_close. What was on the way to
// connections that ended is unknown to a client. With the counters of Aviary's internal
// port it is accounted for, too: messages in are those that were sent, deliveries are
// those that came and, of those that connections which ended can have missed, as many
// as the server made; who was cut off is counted as a slow client; nothing crashed and
// nothing was dropped. They count all that the server does, so a run has it to itself.
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
// A mixed run looks at the server's memory, files, threads and goroutines once a
// second, and compares the medians of the first and the last minute (of a third of the
// window, if that is less).
//
// # Load generator
//
// One thread, one epoll, non-blocking sockets: it costs the least of the CPU
// that the server wants. What a connection's read brought is answered in one
// write; pushes are masked frames made in advance, in which only the ref
// changes. It needs Linux. Run is not to be called twice at once: the CPU of the
// process is taken for that of the loop.
package load
