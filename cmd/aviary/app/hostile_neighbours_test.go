package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/plugins/hostile"
)

// What the clients of one tenant notice of what the module of another does. The server is a
// process of its own, with a configuration file and the limits that are the defaults, and so
// are the neighbour's clients and the attacker's: none waits for the work of the others but
// for the server's. The quiet time has the same clients, at a guest that does no harm.

// Hosts of the tenants.
const (
	neighbourHost = "neighbour.test"
	attackerHost  = "attacker.test"
	calmTopic     = "calm" // of a harmless guest of the attacker's
)

const neighboursConfig = `
cache_dir = "off"
[http]
addr = "127.0.0.1:0"
[[tenant]]
name = "neighbour"
[[tenant]]
name = "attacker"
[[plugin]]
name = "echo"
tenant = "neighbour"
path = %[1]q
topics = ["echo:*"]
[[plugin]]
name = "calm"
tenant = "attacker"
path = %[1]q
topics = ["calm"]
[[plugin]]
name = %[2]q
tenant = "attacker"
path = %[3]q
topics = [%[2]q]
%[4]s
[[mount]]
hosts = ["neighbour.test"]
tenant = "neighbour"
[[mount]]
hosts = ["attacker.test"]
tenant = "attacker"
max_frame = "256KiB" # for an attack by long requests
`

const allCapabilities = `[plugin.capabilities]
serve = ["*"]
broadcast = ["*"]
subscribe = ["*"]
presence = ["*"]
send_info = ["*"]
send_info_others = true
disconnect = ["*"]
timers = true
intercept = true
log = true
config = ["*"]
`

// configOf writes the configuration of a server with a hostile guest.
func configOf(t *testing.T, a *hostile.Attack) (path string) {
	t.Helper()
	absolute := func(path string) string {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	more := ""
	if !measuring() {
		more = "deadline = \"1m\"\n" // fuel ends it, however slow the machine is
	}
	if a.Name != "effect_foreign" { // the others may do all there is
		more += allCapabilities
	}
	text := fmt.Sprintf(neighboursConfig, absolute(filepath.Join(faults, "echo.wasm")), a.Name, absolute(filepath.Join(corpus, a.Name+".wasm")), more)
	path = filepath.Join(t.TempDir(), "aviary.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// briefly are the guests of which something is asked where nothing is measured: that the
// processes do what they are to do.
func briefly() []string { return []string{"loop", "trap_midway", "scribble_answer"} }

// TestHostileNeighbours: while a guest attacks, the neighbour's p99 is at most twice what it
// is while another does no harm, no echo takes longer than 20 ms, and the log names the error.
func TestHostileNeighbours(t *testing.T) {
	for _, a := range guests(t) {
		if a.AtLoad || notHere[a.Name] || !measuring() && !slices.Contains(briefly(), a.Name) {
			continue
		}
		t.Run(a.Name, func(t *testing.T) {
			server := startPlayer(t, playServer, configOf(t, &a))
			url := server.line(t)
			defer func() {
				server.end(t)
				checkLog(t, server.log.String(), &a)
			}()
			for try := range tries {
				before := server.resident(t)
				quiet := together(t, url, calmTopic, quietTime)
				under := together(t, url, a.Name, attackTime)
				r := &report{name: a.Name, quiet: quiet.P99, p99: under.P99, worst: under.Worst, rss: server.resident(t) - before, measurement: measuring()}
				if !r.measurement {
					return
				}
				if r.good() || try == tries-1 {
					r.print(a.Error)
					r.check(t)
					return
				}
				t.Logf("try %d: quiet p99 %v, p99 %v, max %v", try+1, r.quiet, r.p99, r.worst)
			}
		})
	}
}

// together has the attacker's clients and the neighbour's at work side by side, and returns
// what the latter noticed.
func together(t *testing.T, url, topic string, d time.Duration) noticed {
	t.Helper()
	attacker := startPlayer(t, playAttacker, url+" "+topic)
	attacker.line(t) // the first attack has been answered
	echoes := startPlayer(t, playEchoes, url)
	echoes.line(t)
	if measuring() {
		<-time.After(d)
	}
	var saw noticed
	echoes.result(t, &saw)
	var did attacked
	attacker.result(t, &did)
	if saw.Echoes == 0 || did.Rounds == 0 {
		t.Errorf("%d echoes, %d attacks", saw.Echoes, did.Rounds)
	}
	if strings.HasPrefix(topic, calmTopic) && did.Failed > 0 {
		t.Errorf("%d of %d rounds of the harmless guest failed", did.Failed, did.Rounds)
	}
	return saw
}
