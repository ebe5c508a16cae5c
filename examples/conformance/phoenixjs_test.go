package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host/hosttest/tools"
)

// TestPhoenixJS has the real phoenix.js judge a server of its own, which it
// drains in the end: cases 135 to 142, in js/judge.test.mjs.
func TestPhoenixJS(t *testing.T) { judge(t, "js/judge.test.mjs") }

// TestPhoenixJSPresence has its Presence object do so: cases 125 to 134 and 145.
func TestPhoenixJSPresence(t *testing.T) { judge(t, "js/presence.test.mjs") }

func judge(t *testing.T, script string) {
	t.Helper()
	if *clientKind != "v2" {
		t.Skip("phoenix.js is a client of its own")
	}
	t.Parallel() // node waits for the most part
	node := tools.Node(t)
	modules := tools.NodeModules(t, "js/package.json")
	f := ownFixture(t, slog.New(slog.DiscardHandler))
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
