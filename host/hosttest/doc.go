// Package hosttest is a Phoenix Channels client for tests: it says exactly what
// a test tells it to say, also what no decent client would, and compares what
// comes back with golden frames that anyone can read.
//
//	c := hosttest.Dial(t, "ws://127.0.0.1:4801/socket/websocket?vsn=2.0.0", hosttest.Options{})
//	c.Send(`["11","1","room:1","phx_join",{}]`)
//	c.Expect(`["11","1","room:1","phx_reply",{"status":"ok","response":{}}]`)
//	c.ExpectSilence()
//
// The verbs: [Dial] or [DialRefused], then [Client.Send] and its kin,
// [Client.Expect] and its kin. [Client.Join], [Client.Push] and [Client.Leave]
// number their messages: join_refs from 11, refs from 1, so that a server
// which takes one for the other is found out.
//
// # Golden frames
//
// Frames are compared as JSON values: white space, the order of keys and the
// spelling of numbers do not matter. A string "<name>" in a golden frame fits
// any one value. "<any>" is only that; every other name stands for the same
// value wherever the client sees it again, and [Client.Bound] tells which.
// [Client.ExpectText] and [Client.ExpectBinary] compare bytes.
//
// # No sleeping
//
// Every read has a deadline, after which the test fails with the whole
// dialogue. That nothing comes is shown by a barrier: [Client.ExpectSilence]
// sends a heartbeat, whose reply has to be the next frame.
//
// A Client belongs to the goroutine of its test.
package hosttest
