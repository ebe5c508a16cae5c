package plugins

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

func TestExplain(t *testing.T) {
	long := strings.Repeat("n", 1<<20)
	for name, tt := range map[string]struct {
		err  error
		want failure
	}{
		"trap": {
			errors.New("wasm error: unreachable\nwasm stack trace:\n\tm.boom(i32)\n\tm.run()"),
			failure{KindTrap, "unreachable (m.boom)", "m.boom(i32)\nm.run()"},
		},
		"wrapped trap": {
			fmt.Errorf("start: %w", errors.New("wasm error: unreachable\nwasm stack trace:\n\t.$0()")),
			failure{KindTrap, "start: unreachable ($0)", ".$0()"},
		},
		"stack overflow": {errors.New("stack overflow"), failure{KindTrap, "stack overflow", ""}},
		"fault": {
			fmt.Errorf("%w (recovered by wazero)\nwasm stack trace:\n\tm.f()", &fault{kind: KindPanic, message: "a\nb\x00\xff"}),
			failure{KindPanic, "a b \uFFFD", "m.f()"},
		},
		"bug of ours": {
			errors.New("nil map (recovered by wazero)\nwasm stack trace:\n\tm.f()\n\nGo runtime stack trace:\nx"),
			failure{KindHost, "nil map (recovered by wazero)", "m.f()\n\nGo runtime stack trace:\nx"},
		},
		"names without end": {
			errors.New("wasm error: unreachable\nwasm stack trace:\n\t" + long + "()"),
			failure{KindTrap, "unreachable (" + long[:maxText] + ")", long[:maxStack]},
		},
	} {
		if got := explain(tt.err); got != tt.want {
			t.Errorf("%s: %.300s, want %.300s", name, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", tt.want))
		}
	}
}

// TestCallErrorInTheLog: the stack trace is an attribute of its own, so that the
// line stays a line.
func TestCallErrorInTheLog(t *testing.T) {
	for _, tt := range []struct {
		err  *CallError
		want string
	}{
		{&CallError{Plugin: "p", Callback: abi.CallbackJoin, Kind: KindBadResponse, Message: "m"}, `err="plugin p: join: bad_response: m"`},
		{&CallError{Plugin: "p", Callback: abi.CallbackJoin, Kind: KindTrap, Message: "m", Stack: "a()\nb()"}, `err.message="plugin p: join: trap: m" err.stack="a()\nb()"`},
	} {
		var out strings.Builder
		slog.New(slog.NewTextHandler(&out, nil)).Error("x", "err", tt.err)
		if !strings.Contains(out.String(), tt.want) {
			t.Errorf("log line %s, want %s", out.String(), tt.want)
		}
	}
}
