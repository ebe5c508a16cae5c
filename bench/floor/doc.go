// Command floor is the least that a server can do which answers what the
// benchmark asks: others are compared with it.
//
//	PORT=0 bench-floor
//
// One thread, one epoll, nothing but system calls: an upgrade by hand, frames
// taken apart in place, all replies to what a read brought in one write, and a
// broadcast that is encoded once and written to each member with a write(2) of
// its own. It knows phx_join, heartbeat, echo and shout; joins get a canned
// reply, an echo copies ref and payload of the push, and a broadcast is byte for
// byte what the real server delivers. There is no channel logic, no check of the
// JSON, no limit and no timer, so what it costs is the kernel's share and little
// more. It takes messages apart at their commas, so it serves none but the
// benchmark's own clients.
//
// It prints `pid N` and `listening on 127.0.0.1:PORT` and ends with SIGINT or
// SIGTERM. It needs Linux.
package main
