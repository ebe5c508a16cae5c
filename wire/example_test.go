package wire_test

import (
	"fmt"

	"github.com/aviary-host/aviary/wire"
)

// A server decodes a request and answers it; the refs and the topic go back
// byte for byte.
func Example() {
	var m wire.Message
	frame := []byte(`["1","2","room:1","new_msg",{"body":"hi"}]`)
	if err := (wire.V2{}).Decode(frame, &m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s on %s: %s\n", m.Event, m.Topic, m.Payload)

	reply := wire.Reply{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.TopicJSON, Status: wire.StatusOK}
	fmt.Printf("%s\n", wire.V2{}.AppendReply(nil, &reply))
	// Output:
	// new_msg on room:1: {"body":"hi"}
	// ["1","2","room:1","phx_reply",{"status":"ok","response":{}}]
}

// A broadcast is the same bytes for every subscriber.
func ExampleV2_AppendPush() {
	push := wire.Push{Topic: wire.AppendQuoted(nil, "room:1"), Event: "new_msg", Payload: []byte(`{"body":"hi"}`)}
	fmt.Printf("%s\n", wire.V2{}.AppendPush(nil, &push))
	// Output: [null,null,"room:1","new_msg",{"body":"hi"}]
}

// A client of the first version writes objects and gets objects back, without
// the join ref.
func ExampleV1() {
	var m wire.Message
	frame := []byte(`{"topic":"room:1","event":"new_msg","payload":{"body":"hi"},"ref":"2","join_ref":"1"}`)
	if err := (wire.V1{}).Decode(frame, &m); err != nil {
		fmt.Println(err)
		return
	}
	reply := wire.Reply{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.TopicJSON, Status: wire.StatusOK}
	fmt.Printf("%s\n", wire.V1{}.AppendReply(nil, &reply))
	// Output: {"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"2"}
}

func ExampleParseVersion() {
	for _, vsn := range []string{"1.0.0", "2.0.3", "2.1.0"} {
		v, ok := wire.ParseVersion(vsn)
		fmt.Println(vsn, v, ok)
	}
	// Output:
	// 1.0.0 1.0.0 true
	// 2.0.3 2.0.0 true
	// 2.1.0 version 0 false
}

// A binary push carries bytes. Here its reply does too; a text reply would do.
func ExampleV2_DecodeBinary() {
	var m wire.Message
	frame := []byte("\x00\x01\x01\x06\x04" + "1" + "2" + "room:1" + "blob" + "\xca\xfe")
	if err := (wire.V2{}).DecodeBinary(frame, &m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s on %s: %x\n", m.Event, m.Topic, m.Payload)

	reply := wire.Reply{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.TopicJSON, Status: wire.StatusOK, Response: []byte("\xbe\xef")}
	out, err := wire.V2{}.AppendBinaryReply(nil, &reply)
	fmt.Printf("%q %v\n", out, err)
	// Output:
	// blob on room:1: cafe
	// "\x01\x01\x01\x06\x0212room:1ok\xbe\xef" <nil>
}
