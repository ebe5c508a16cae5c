// Package talk speaks a channel from a terminal: lines in, frames out.
//
//	new_msg {"text":"hi"}          what is typed: an event, and its payload
//	-> new_msg {"text":"hi"}
//	<- new_msg {"name":"Ada",...}  what the server sends on the topic
//	<- reply ok {"n":1}            what it answers
//
// [Talk] joins, sends each line, prints what comes, and leaves at the end of the input once
// everything is answered. It does not reconnect.
package talk
