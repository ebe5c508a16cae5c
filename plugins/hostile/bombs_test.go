//go:build unix

package hostile_test

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"go.uber.org/goleak"

	"github.com/aviary-host/aviary/plugins/hostile"
	"github.com/aviary-host/aviary/plugins/module"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// measuring tells that times are of interest, and that nobody else uses the machine.
func measuring() bool { return os.Getenv("AVIARY_HOSTILE") == "measure" && !raceEnabled }

// mostCompileTime is how much processor time the compiler may take for what is admitted.
const mostCompileTime = 2 * time.Second

// TestBombs: a bomb that is too large is refused by the cap that is meant, and with it
// no smaller one of its shape is left that the compiler spends long on.
func TestBombs(t *testing.T) {
	for _, b := range hostile.Bombs() {
		t.Run(b.Name, func(t *testing.T) {
			n, next, err := b.Largest(measuring())
			if n < 100 {
				t.Errorf("only %d are admitted", n)
			}
			if err == nil || !strings.Contains(err.Error(), b.Cap) || !strings.Contains(err.Error(), ", at most ") {
				t.Errorf("%d are refused with %v, want %s", next, err, b.Cap)
			}
			if !measuring() {
				return
			}
			took := compile(t, b.Module(n))
			t.Logf("%d take %v", n, took)
			if took > mostCompileTime {
				t.Errorf("%d take %v, at most %v", n, took, mostCompileTime)
			}
		})
	}
}

// compile returns the processor time that one worker takes for a module with its meters;
// the best of three, if the first is too slow.
func compile(t *testing.T, m *module.Module) time.Duration {
	t.Helper()
	wasm, err := hostile.Meter(m)
	if err != nil {
		t.Fatal(err)
	}
	best := time.Hour
	for try := 0; try < 3 && best > mostCompileTime; try++ {
		r := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfigCompiler().
			WithCoreFeatures(api.CoreFeaturesV2).WithDebugInfoEnabled(false))
		began := processorTime(t)
		if _, err := r.CompileModule(context.Background(), wasm); err != nil {
			t.Fatal(err)
		}
		best = min(best, processorTime(t)-began)
		if err := r.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	return best
}

// processorTime is what this process has used so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// TestCorpus: every guest is listed, assembled and has a source, and is admitted.
func TestCorpus(t *testing.T) {
	all, err := hostile.Corpus("../testdata/hostile")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 60 {
		t.Errorf("only %d guests", len(all))
	}
	for _, a := range all {
		m, err := module.Decode(a.Wasm, module.DefaultCaps())
		if err == nil {
			err = hostile.Admit(m)
		}
		if err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
	}
}
