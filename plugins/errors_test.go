package plugins

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins/lines"
	"github.com/aviary-host/aviary/plugins/module"
)

func TestExplain(t *testing.T) {
	long := strings.Repeat("n", 1<<20)
	for name, tt := range map[string]struct {
		err  error
		want failure
	}{
		"trap": {
			errors.New("wasm error: unreachable\nwasm stack trace:\n\tm.boom(i32)\n\tm.run()"),
			failure{kind: KindTrap, message: "unreachable (m.boom)", stack: "m.boom(i32)\nm.run()"},
		},
		"wrapped trap": {
			fmt.Errorf("start: %w", errors.New("wasm error: unreachable\nwasm stack trace:\n\t.$0()")),
			failure{kind: KindTrap, message: "start: unreachable ($0)", stack: ".$0()"},
		},
		"stack overflow": {errors.New("stack overflow"), failure{kind: KindTrap, message: "stack overflow", stack: ""}},
		"fault": {
			fmt.Errorf("%w (recovered by wazero)\nwasm stack trace:\n\tm.f()", &fault{kind: KindPanic, message: "a\nb\x00\xff"}),
			failure{kind: KindPanic, message: "a b \uFFFD", stack: "m.f()"},
		},
		"bug of ours": {
			errors.New("nil map (recovered by wazero)\nwasm stack trace:\n\tm.f()\n\nGo runtime stack trace:\nx"),
			failure{kind: KindHost, message: "nil map (recovered by wazero)", stack: "m.f()\n\nGo runtime stack trace:\nx"},
		},
		"names without end": {
			errors.New("wasm error: unreachable\nwasm stack trace:\n\t" + long + "()"),
			failure{kind: KindTrap, message: "unreachable (" + long[:maxText] + ")", stack: long[:maxStack]},
		},
	} {
		if got := explain(tt.err, nil); got != tt.want {
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

// TestPlaces: what wazero says of a source is looked up, and where a guest writes the
// same into the name of a function, it gets what it may see: its own lines.
func TestPlaces(t *testing.T) {
	table := aTable() // cup.c, line 1 at offsets 5 and 6
	for name, tt := range map[string]struct {
		trace string
		table *lines.Table
		want  failure
	}{
		"places": {
			"a.f()\n\t\t0x5: ?\n\ta.g()\n\t\t0x6: ?", table,
			failure{message: "unreachable (a.f at cup.c:1)", place: lines.Place{File: "cup.c", Line: 1}, stack: "a.f() at cup.c:1\na.g() at cup.c:1"},
		},
		"of the second": {
			"a.f()\n\t\t0x1: ?\n\ta.g()\n\t\t0x6: ?", table,
			failure{message: "unreachable (a.f)", place: lines.Place{File: "cup.c", Line: 1}, stack: "a.f()\na.g() at cup.c:1"},
		},
		"no table": {
			"a.f()\n\t\t0x5: ?", nil,
			failure{message: "unreachable (a.f)", stack: "a.f()\n\t0x5: ?"},
		},
		"forged": {
			"a.f\n\t\t0x5: /etc/passwd:1\n\t\t0xyz: x\n\t\t0x99999999999999999999: x()", table,
			failure{message: "unreachable (a.f at cup.c:1)", place: lines.Place{File: "cup.c", Line: 1}, stack: "a.f at cup.c:1"},
		},
		"forged words": {
			"a.f at x:1(()", table,
			failure{message: "unreachable (a.f at x:1)", stack: "a.f at x:1(()"},
		},
	} {
		tt.want.kind = KindTrap
		if got := explain(errors.New("wasm error: unreachable\nwasm stack trace:\n\t"+tt.trace), tt.table); got != tt.want {
			t.Errorf("%s: %+q, want %+q", name, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", tt.want))
		}
	}
}

// aTable has one place.
func aTable() *lines.Table {
	const table = "\x30\x00\x00\x00\x04\x00\x1d\x00\x00\x00\x01\x01\x01\x00\x04\x0d\x00\x01\x01\x01\x01\x00\x00\x00\x01\x00\x00\x01" +
		"\x00cup.c\x00\x00\x00\x00\x00" + "\x00\x05\x02\x05\x00\x00\x00\x01\x02\x02\x00\x01\x01"
	m := &module.Module{Debug: module.Debug{Line: []byte(table), Offsets: [][]uint32{{1, 2, 3, 4, 5, 6, 7}}}}
	return lines.Read(m, m)
}
