package traps

import (
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when the traps of the tests happen.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 5, time.UTC)

// newTrap makes a trap of a request with a payload of so many bytes.
func newTrap(payload int) *plugins.Trap {
	req := abi.Request{
		Callback: abi.CallbackJoin, Seed: [16]byte{1, 2}, Topic: []byte("room:1"), SocketID: []byte("S"),
		Payload: []byte(strings.Repeat("p", payload)), State: []byte("state"), Params: []byte("{}"), Headers: []byte(`{"a":1}`),
		Config: []byte(`{"key":"secret"}`),
	}
	return &plugins.Trap{
		Plugin: "chat", Module: strings.Repeat("ab", 32), Time: noon, Callback: req.Callback, Kind: plugins.KindFuel,
		Message: "over its fuel", Stack: "spin()\njoin()", Stderr: "oh", Seed: req.Seed, Request: abi.AppendRequest(nil, &req),
		Limits: plugins.TrapLimits{
			Fuel: 10, FuelSlice: 5, Deadline: time.Second, Stack: 1, Memory: 2,
			Response: abi.Limits{Response: 3, State: 4, Effects: 5, Output: 6},
		},
	}
}
