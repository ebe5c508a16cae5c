package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
)

// native is the logic of the guest in native Go. It allocates nothing for an
// event, so that what the benchmark shows is the host.
type native struct{}

var _ host.DetachingHandler = native{}

func (native) Implements(c abi.Callback) bool {
	return c == abi.CallbackJoin || c == abi.CallbackHandleIn
}

// HandleDetaching is Handle, which never takes long.
func (n native) HandleDetaching(req *abi.Request, buf []byte, resp *abi.Response, _ func()) ([]byte, error) {
	return n.Handle(req, buf, resp)
}

func (native) Handle(req *abi.Request, buf []byte, resp *abi.Response) ([]byte, error) {
	switch req.Callback {
	case abi.CallbackJoin:
		return buf, join(req, resp)
	case abi.CallbackHandleIn:
		return handleIn(req, buf, resp)
	}
	return buf, fmt.Errorf("callback %s is not implemented", req.Callback)
}

// join accepts everybody; on presence:* it tracks the user that the payload
// names.
func join(req *abi.Request, resp *abi.Response) error {
	resp.Result = abi.ResultReply
	if !bytes.HasPrefix(req.Topic, []byte("presence:")) {
		return nil
	}
	var payload struct{ User string }
	if err := json.Unmarshal(req.Payload, &payload); err != nil {
		return err
	}
	resp.Effects = append(resp.Effects,
		abi.Effect{Kind: abi.EffectPresenceTrack, Key: []byte(payload.User)},
		abi.Effect{Kind: abi.EffectPresencePush},
	)
	return nil
}

func handleIn(req *abi.Request, buf []byte, resp *abi.Response) ([]byte, error) {
	switch string(req.Event) {
	case "echo":
		resp.Result, resp.Payload = abi.ResultReply, req.Payload
	case "push":
		resp.Result, resp.Event, resp.Payload = abi.ResultPush, req.Event, req.Payload
	case "shout":
		resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectBroadcast, Event: req.Event, Payload: req.Payload})
	default:
		resp.Result = abi.ResultReplyError
		resp.Payload = []byte(`{"reason":"unknown event"}`)
	}
	return buf, nil
}
