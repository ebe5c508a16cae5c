package host_test

import (
	"context"
	"fmt"
	"net"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
)

// shouter is a native handler: every event goes to everybody on the topic.
type shouter struct{}

func (shouter) Implements(c abi.Callback) bool {
	return c == abi.CallbackJoin || c == abi.CallbackHandleIn
}

func (shouter) Handle(req *abi.Request, buf []byte, resp *abi.Response) ([]byte, error) {
	if req.Callback == abi.CallbackJoin {
		resp.Result = abi.ResultReply
		return buf, nil
	}
	resp.Effects = append(resp.Effects, abi.Effect{
		Kind: abi.EffectBroadcast, Event: req.Event, Payload: req.Payload,
	})
	return buf, nil
}

// A server with one native handler; a module loaded by package plugins is
// registered in the same way.
func Example() {
	srv, err := host.New(host.Config{Mounts: []host.Mount{{Path: "/socket", MaxChannels: 10}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := srv.Register("room:*", shouter{}); err != nil {
		fmt.Println(err)
		return
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()

	// From anywhere in the program, for as long as the server runs:
	err = srv.Broadcast("room:lobby", "news", []byte(`{"text":"hello"}`))
	fmt.Println("broadcast:", err)
	err = srv.Push("no such socket", "room:lobby", "news", nil)
	fmt.Println("push:", err)

	if err := srv.Close(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println("serve:", <-served)
	// Output:
	// broadcast: <nil>
	// push: no such socket or channel
	// serve: server closed
}
