package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/aviary-host/aviary/cmd/aviary/app"
	"github.com/aviary-host/aviary/host/hosttest/tools"
)

// TestPhoenixJS has the real phoenix.js judge a server of its own, which it
// drains in the end: cases 135 to 142, in js/judge.test.mjs.
func TestPhoenixJS(t *testing.T) { judge(t, "js/judge.test.mjs") }

// TestPhoenixJSPresence has its Presence object do so: cases 125 to 134 and 145.
func TestPhoenixJSPresence(t *testing.T) { judge(t, "js/presence.test.mjs") }

// TestPhoenixJSChurn has fifty of them come and go, in js/churn.test.mjs: where each change
// is told by itself, as Phoenix does, where they are collected, and where lists come in pages too.
func TestPhoenixJSChurn(t *testing.T) {
	for name, p := range map[string]app.Presence{
		"each by itself": {Tick: app.Tick{Duration: -1}},
		"by the tick":    {},
		"and in pages":   {Tick: app.Tick{Duration: 20 * time.Millisecond}, Page: 1 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(slog.New(slog.DiscardHandler))
			o.presence = &p
			judgeWith(t, "js/churn.test.mjs", o)
		})
	}
}

func judge(t *testing.T, script string) {
	t.Helper()
	judgeWith(t, script, testOptions(slog.New(slog.DiscardHandler)))
}

// judgeWith runs a script against a server of its own.
func judgeWith(t *testing.T, script string, o options) {
	t.Helper()
	if *clientKind != "v2" {
		t.Skip("phoenix.js is a client of its own")
	}
	t.Parallel() // node waits for the most part
	node := tools.Node(t)
	modules := tools.NodeModules(t, "js/package.json")
	f := ownFixtureWith(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "--test", "--test-reporter=spec", script)
	cmd.Env = append(os.Environ(),
		"AVIARY_NODE_MODULES="+modules,
		"AVIARY_HOST="+f.PublicAddr(),
		"AVIARY_CTL="+f.ControlAddr())
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("phoenix.js: %v", err)
	}
}
