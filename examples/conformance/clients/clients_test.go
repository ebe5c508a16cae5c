package clients

import (
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest/tools"
)

// Stories are what a client's program says, line by line, and after a "!" what
// happens meanwhile; see stage.act. NAME is what makes its topics its own. Presence
// shows who is there, and only when that has changed.
const (
	phoenixStory = `
joined {}
refused {"reason":"unauthorized","got":{}}
reply ok {"n":1}
reply error {"n":1}
present ada
! join pres:NAME {"name":"bob"}
present ada bob
! leave pres:NAME
present ada
! broadcast room:quiet-NAME shout {"text":"before"}
shout {"text":"before"}
! restart
joined {}
! broadcast room:quiet-NAME shout {"text":"after"}
shout {"text":"after"}
! end
left`

	// There are no pushes with error replies but for presence; and presence is
	// tracked by the program, not by the join.
	supabaseStory = `
SUBSCRIBED
present ada
tracked "ok"
refused ["CHANNEL_ERROR","TopicNameRequired: You must provide a topic name"]
shout {"n":1}
sent "ok"
sent "error"
! join realtime:NAME {"config":{"presence":{"key":"bob","enabled":true}}}
! push realtime:NAME presence {"type":"presence","event":"track","payload":{}}
present ada bob
! leave realtime:NAME
present ada
! broadcast realtime:NAME broadcast {"type":"broadcast","event":"shout","payload":{"text":"before"}}
shout {"text":"before"}
! restart
CHANNEL_ERROR
SUBSCRIBED
present
present ada
tracked "ok"
! broadcast realtime:NAME broadcast {"type":"broadcast","event":"shout","payload":{"text":"after"}}
shout {"text":"after"}
! end
CLOSED
left "ok"`

	// By 2.0.0 this library drops what has not its own join_ref, and so all
	// broadcasts, which have none: the shouts and the presence_diff do not show. What
	// the channel pushes does: presence_state, and new_msg, which it intercepts.
	// A join has no payload, so nobody is present but the other.
	pushesStory = `
! join pres:NAME {"name":"bob"}
joined
refused unauthorized
reply ok {"n":1}
reply error {"n":1}
presence_state bob
! leave pres:NAME
! broadcast room:quiet-NAME shout {"text":"before"}
! broadcast room:quiet-NAME new_msg {"text":"before"}
new_msg {"text":"before","transport":":websocket"}
! restart
joined
! broadcast room:quiet-NAME new_msg {"text":"after"}
new_msg {"text":"after","transport":":websocket"}
! end
left`

	// By 1.0.0 nothing has a join_ref, so broadcasts and diffs show as well.
	eventsStory = `
! join pres:NAME {"name":"bob"}
joined
refused unauthorized
reply ok {"n":1}
reply error {"n":1}
presence_state bob
! leave pres:NAME
presence_diff -bob
! broadcast room:quiet-NAME shout {"text":"before"}
shout {"text":"before"}
! restart
joined
! broadcast room:quiet-NAME shout {"text":"after"}
shout {"text":"after"}
! end
left`
)

// client is a library, spoken to in one version of the protocol.
type client struct {
	library string
	vsn     string
	program func(t *testing.T) program
	story   string
}

func (c client) String() string { return c.library + "-" + c.vsn }

// TestClients has each client live through joins, replies, presence, broadcasts
// and a restart of the server, after which it comes back by itself. They share the
// server and its restart: to compile the module is what takes the time.
func TestClients(t *testing.T) {
	clients := []client{
		{"phoenix.js", "2.0.0", node("phoenix.mjs"), phoenixStory},
		{"realtime-js", "2.0.0", node("supabase.mjs"), supabaseStory},
		{"realtime-js", "1.0.0", node("supabase.mjs"), supabaseStory},
		{"JavaPhoenixClient", "2.0.0", java, phoenixStory},
		{"phoenix-channels-python-client", "2.0.0", python, pushesStory},
		{"phoenix-channels-python-client", "1.0.0", python, eventsStory},
	}
	srv := newServer(t)
	stages := make([]*stage, len(clients)) // nil after a failure, or without the tools
	t.Run("first", func(first *testing.T) {
		for i, c := range clients {
			first.Run(c.String(), func(act *testing.T) {
				act.Parallel()
				p := c.program(act)
				s := newStage(t, srv, p.environ("AVIARY_NAME="+c.String(), "AVIARY_VSN="+c.vsn))
				s.play(act, c.act(0))
				stages[i] = s
			})
		}
	})
	srv.restart(t)
	t.Run("restarted", func(second *testing.T) {
		for i, c := range clients {
			if s := stages[i]; s != nil {
				second.Run(c.String(), func(act *testing.T) {
					act.Parallel()
					s.play(act, c.act(1))
					s.expectEnd()
				})
			}
		}
	})
}

// act returns the story before the restart, 0, or after it, 1.
func (c client) act(i int) string {
	story := strings.ReplaceAll(strings.TrimSpace(c.story), "NAME", c.String())
	return strings.Split(story, "! restart\n")[i]
}

// program is how a client's program is run.
type program struct {
	argv []string
	env  []string
}

func (p program) environ(vars ...string) program {
	p.env = append(p.env, vars...)
	return p
}

func node(script string) func(*testing.T) program {
	return func(t *testing.T) program {
		node, modules := tools.Node(t), tools.NodeModules(t, "package.json")
		return program{argv: []string{node, script}, env: []string{"AVIARY_NODE_MODULES=" + modules}}
	}
}

// java runs the source, which it compiles in memory.
func java(t *testing.T) program {
	java, classPath := tools.Java(t, "pom.xml")
	return program{argv: []string{java, "-cp", classPath, "Phoenix.java"}}
}

func python(t *testing.T) program {
	return program{argv: []string{tools.Python(t, "requirements.txt"), "phoenix.py"}}
}
