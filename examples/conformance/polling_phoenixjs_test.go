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

// TestPhoenixJSPolling has the real phoenix.js judge long polling: cases 143 to
// 145, and what is about servers that end and clients that fall back, in
// js/polling.test.mjs. Of its two servers one is drained in the middle, and the
// other is what it comes back as.
func TestPhoenixJSPolling(t *testing.T) {
	if *clientKind != "v2" {
		t.Skip("phoenix.js is a client of its own, so this runs with the first kind only")
	}
	t.Parallel() // as in judge
	node := tools.Node(t)
	modules := tools.NodeModules(t, "js/package.json")
	f, restarted := fixtureOf(t), ownFixture(t, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// phoenix.js leaves the timeout of each request running, which would keep node.
	cmd := exec.CommandContext(ctx, node, "--test", "--test-force-exit", "--test-reporter=spec", "js/polling.test.mjs")
	cmd.Env = append(os.Environ(),
		"AVIARY_NODE_MODULES="+modules,
		"AVIARY_HOST="+f.PublicAddr(),
		"AVIARY_CTL="+f.ControlAddr(),
		"AVIARY_RESTARTED_HOST="+restarted.PublicAddr(),
		"AVIARY_RESTARTED_CTL="+restarted.ControlAddr())
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("phoenix.js: %v", err)
	}
}
