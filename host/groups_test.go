package host_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
)

func groupEffect(kind abi.EffectKind, name, topic string) abi.Effect {
	return abi.Effect{Kind: kind, Key: []byte(name), Topic: []byte(topic), Event: []byte("news"), Payload: []byte(`{"n":1}`)}
}

// organiser does with groups what its client says: an event is an effect, the payload
// a list of a group and a topic.
func organiser() *script {
	do := func(kind abi.EffectKind) func(*abi.Request, *abi.Response) error {
		return func(req *abi.Request, resp *abi.Response) error {
			var names [2]string
			if err := json.Unmarshal(req.Payload, &names); err != nil {
				return err
			}
			return replyWith(groupEffect(kind, names[0], names[1]))(req, resp)
		}
	}
	return &script{
		in: steps{
			"echo": echo, "add": do(abi.EffectGroupAdd), "remove": do(abi.EffectGroupRemove), "broadcast": do(abi.EffectGroupBroadcast),
			"subscribe": replyWith(abi.Effect{Kind: abi.EffectSubscribe, Topic: []byte("b")}),
			"leave_behind": replyWith(
				groupEffect(abi.EffectGroupAdd, "g", "a"), groupEffect(abi.EffectGroupBroadcast, "g", ""),
				groupEffect(abi.EffectGroupAdd, "g", "b"), groupEffect(abi.EffectGroupRemove, "g", "a"),
				groupEffect(abi.EffectGroupBroadcast, "g", "")),
		},
		info: infoToPush,
	}
}

// says pushes what the organiser is to do, and expects that it has been done.
func says(c *hosttest.Client, event, name, topic string) {
	ref := c.Push("a", event, fmt.Sprintf("[%q,%q]", name, topic))
	c.Expect(reply("11", ref, "a", `{}`))
}

func wantTopics(t *testing.T, s *host.Server, name string, want ...string) {
	t.Helper()
	if got, err := s.GroupTopics(name); err != nil && len(want) > 0 || !slices.Equal(got, want) {
		t.Errorf("topics of %s: %v, %v; want %v", name, got, err, want)
	}
}

// TestGroupEffects: what channels put into groups, everybody on those topics gets,
// once on each, in the order in which they were put there.
func TestGroupEffects(t *testing.T) {
	s := start(t, organiser(), host.Mount{})
	first, both, other := s.dial(t), s.dial(t), s.dial(t)
	first.Join("a", "")
	both.Join("a", "")
	both.Join("b", "")
	other.Join("b", "")
	other.Join("c", "")
	says(first, "remove", "g", "a") // of a group that is not there
	says(first, "broadcast", "g", "")
	for _, topic := range []string{"b", "a", "b", "nobody"} {
		says(first, "add", "g", topic)
	}
	wantTopics(t, s.Server, "g", "b", "a", "nobody")

	ref := both.Push("a", "broadcast", `["g",""]`)
	both.Expect(`[null,null,"b","news",{"n":1}]`)
	both.Expect(`[null,null,"a","news",{"n":1}]`)
	both.Expect(reply("11", ref, "a", `{}`))
	first.Expect(`[null,null,"a","news",{"n":1}]`)
	other.Expect(`[null,null,"b","news",{"n":1}]`)

	says(first, "remove", "g", "b")
	ref = first.Push("a", "broadcast", `["g",""]`)
	first.Expect(`[null,null,"a","news",{"n":1}]`)
	first.Expect(reply("11", ref, "a", `{}`))
	both.Expect(`[null,null,"a","news",{"n":1}]`)
	other.ExpectSilence()
	both.ExpectSilence()

	// Topics are members, not channels.
	first.Drop()
	both.Leave("a")
	wantTopics(t, s.Server, "g", "a", "nobody")
}

// TestGroupEffectsInTheirOrder: a broadcast reaches what was added before it in the
// same answer, and not what is added after.
func TestGroupEffectsInTheirOrder(t *testing.T) {
	s := start(t, organiser(), host.Mount{})
	c := s.dial(t)
	c.Join("a", "")
	c.Join("b", "")
	ref := c.Push("a", "leave_behind", "")
	c.Expect(`[null,null,"a","news",{"n":1}]`)
	c.Expect(`[null,null,"b","news",{"n":1}]`)
	c.Expect(reply("11", ref, "a", `{}`))
	wantTopics(t, s.Server, "g", "b")
}

// TestGroupsReachSubscriptions: a channel that listens to a topic of the group is
// among its subscribers.
func TestGroupsReachSubscriptions(t *testing.T) {
	s := start(t, organiser(), host.Mount{})
	c := s.dial(t)
	c.Join("a", "")
	ref := c.Push("a", "subscribe", "")
	c.Expect(reply("11", ref, "a", `{}`))
	says(c, "add", "g", "b")
	if err := s.BroadcastGroup("g", "e", nil); err != nil {
		t.Error(err)
	}
	c.Expect(`["11",null,"a","info",{"kind":"broadcast","event":"e","source":"b","payload":{}}]`)
}

// TestGroupEffectsWithoutAChannel: connect may have them too, and an answer that is
// refused leaves no trace, in connect, join or later.
func TestGroupEffectsWithoutAChannel(t *testing.T) {
	h := organiser()
	h.connect = func(req *abi.Request, resp *abi.Response) error {
		resp.Result = abi.ResultReply
		resp.Effects = append(resp.Effects, groupEffect(abi.EffectGroupAdd, "g", "b"), groupEffect(abi.EffectGroupAdd, "g", "a"),
			groupEffect(abi.EffectGroupBroadcast, "g", ""))
		if strings.Contains(string(req.Params), `"bad"`) {
			resp.Effects[0].Key = []byte("of:nobody")
			resp.Effects[2].Payload = []byte(`[]`)
		}
		return nil
	}
	bad := func(_ *abi.Request, resp *abi.Response) error {
		resp.Result = abi.ResultReply
		resp.Effects = append(resp.Effects, groupEffect(abi.EffectGroupAdd, "of:nobody", "b"), push("e", `[]`))
		return nil
	}
	h.join = func(req *abi.Request, resp *abi.Response) error {
		if string(req.Topic) == "bad" {
			return bad(req, resp)
		}
		return accept(req, resp)
	}
	h.in["bad"] = bad
	s := start(t, h, host.Mount{})
	c := s.dial(t)
	c.Join("a", "")
	hosttest.DialRefused(t, s.url+"&bad=1", hosttest.Options{})
	s.dial(t).ExpectSilence()
	c.Expect(`[null,null,"a","news",{"n":1}]`)
	wantTopics(t, s.Server, "g", "b", "a")
	joinRef, ref := c.SendJoin("bad", "")
	c.Expect(fmt.Sprintf(`[%q,%q,"bad","phx_reply",{"status":"error","response":{"reason":"join crashed"}}]`, joinRef, ref))
	c.Push("a", "bad", "")
	c.Expect(`["11","11","a","phx_error",{"reason":"channel_crash"}]`)
	if list := s.Groups(); len(list) != 1 {
		t.Errorf("groups %v", list)
	}
	if err := s.DeleteGroup("g"); err != nil {
		t.Error(err)
	}
	if info := s.Info().Tenants[0]; info.Groups != 0 || info.StateBytes != 0 {
		t.Errorf("left behind: %+v", info)
	}
}

// TestGroupsAreNoWayAroundACapability: a plugin that may not broadcast to a topic
// does not do so through a group, whoever put the topic there, in any callback.
func TestGroupsAreNoWayAroundACapability(t *testing.T) {
	for _, st := range stages() {
		t.Run(st.name, func(t *testing.T) {
			list := st.effects(groupEffect(abi.EffectGroupBroadcast, "g", ""))
			for _, allowed := range []bool{true, false} {
				g := everything()
				if !allowed {
					g.Broadcast = []string{"room:*"}
				}
				s := startGranted(t, st.answering(list...), g)
				for _, err := range []error{s.CreateGroup("g"), s.AddToGroup("g", "room:2"), s.AddToGroup("g", "other:1")} {
					if err != nil {
						t.Fatal(err)
					}
				}
				st.run(t, s, allowed)
				if allowed != (s.Info().Denied == 0) {
					t.Errorf("allowed %v, info %+v", allowed, s.Info())
				}
				want := fmt.Sprintf(`effects[%d] group_broadcast of "news": group "g": topic "other:1" is not among the plugin's broadcast topics (capability broadcast in test.toml)`, len(list)-1)
				log := strings.ReplaceAll(s.log.String(), `\"`, `"`)
				if !allowed && (!strings.Contains(log, want) || !strings.Contains(log, "code=CAPABILITY_DENIED callback="+st.callback.String())) {
					t.Errorf("the log does not say %s:\n%s", want, log)
				}
			}
		})
	}
}

// TestGroupsSpareSockets: as with a broadcast, the event disconnect closes sockets
// only for a plugin that may do that.
func TestGroupsSpareSockets(t *testing.T) {
	for _, closes := range []bool{true, false} {
		g := everything()
		g.Disconnect = nil
		if closes {
			g.Disconnect = []string{"other:*"}
		}
		end := groupEffect(abi.EffectGroupBroadcast, "g", "")
		end.Event, end.Payload = []byte("disconnect"), nil
		s := startGranted(t, &script{
			connect: func(_ *abi.Request, resp *abi.Response) error {
				resp.Result, resp.IDTopic = abi.ResultReply, []byte("other:1")
				return nil
			},
			in: steps{"end": replyWith(groupEffect(abi.EffectGroupAdd, "g", "other:1"), end)},
		}, g)
		c := s.dial(t)
		c.Join("other:1", "")
		c.Push("other:1", "end", "")
		if closes {
			c.ExpectClose(1001)
		} else {
			c.Expect(`[null,null,"other:1","disconnect",{}]`)
		}
	}
}

func TestGroupsDoNotCrossTenants(t *testing.T) {
	s := startConfig(t, organiser(), tenants(host.TenantLimits{}))
	mine, other, home := s.at(t, acme), s.at(t, umbrella), s.at(t, nobody)
	for _, c := range []*hosttest.Client{mine, other, home} {
		c.Join("a", "")
	}
	says(mine, "add", "g", "a")
	says(other, "broadcast", "g", "")
	says(other, "remove", "g", "a")
	says(home, "broadcast", "g", "")
	if err := s.tenant(t, "acme").BroadcastGroup("g", "e", nil); err != nil {
		t.Error(err)
	}
	mine.Expect(`[null,null,"a","e",{}]`)
	for _, c := range []*hosttest.Client{mine, other, home} {
		c.ExpectSilence()
	}
	if err := s.BroadcastGroup("g", "e", nil); !errors.Is(err, host.ErrNoSuchGroup) {
		t.Error(err)
	}
	if s.tenant(t, "umbrella").Info().Groups+s.tenant(t, "").Info().Groups != 0 || s.tenant(t, "acme").Info().Groups != 1 {
		t.Errorf("groups %+v", s.Info().Tenants)
	}
}

// TestGroupsOfATenantAreLimited: an answer that would make too many, or too large
// ones, does nothing, and says which key that is; so does a call.
func TestGroupsOfATenantAreLimited(t *testing.T) {
	full := func(n int, key string) string { return fmt.Sprintf("over the limit of %d %s (tenant.%s)", n, key, key) }
	for _, tt := range []struct {
		key    string
		limits host.TenantLimits
		fill   [][2]string // groups and topics
		over   [2]string
		call   func(*host.Tenant) error
		told   string
	}{
		{
			"groups",
			host.TenantLimits{Groups: 2},
			[][2]string{{"g", "a"}, {"g", "b"}, {"h", "a"}},
			[2]string{"i", "a"},
			func(tenant *host.Tenant) error { return tenant.CreateGroup("i") }, full(2, "groups"),
		},
		{
			"group_topics",
			host.TenantLimits{GroupTopics: 2},
			[][2]string{{"g", "a"}, {"g", "b"}, {"g", "a"}, {"h", "c"}},
			[2]string{"g", "c"},
			func(tenant *host.Tenant) error { return tenant.AddToGroup("g", "c") }, full(2, "group_topics"),
		},
		{
			"state",
			host.TenantLimits{State: 800},
			[][2]string{{"g", "a"}, {"g", "b"}},
			[2]string{"g", "c"},
			func(tenant *host.Tenant) error { return tenant.AddToGroup("g", "c") }, full(800, "state"),
		},
	} {
		t.Run(tt.key, func(t *testing.T) {
			h := organiser()
			h.join = func(req *abi.Request, resp *abi.Response) error {
				resp.Result = abi.ResultReply
				if string(req.Topic) == "full" {
					resp.Effects = append(resp.Effects, groupEffect(abi.EffectGroupAdd, tt.over[0], tt.over[1]))
				}
				return nil
			}
			s := startConfig(t, h, tenants(tt.limits))
			tenant, c := s.tenant(t, "acme"), s.at(t, acme)
			c.Join("a", "")
			for _, f := range tt.fill {
				says(c, "add", f[0], f[1])
			}
			before := fmt.Sprint(tenant.Groups(), tenant.Info().StateBytes)
			_, value, _ := strings.Cut(tt.told, "limit of ")
			value, _, _ = strings.Cut(value, " ")
			joinRef, ref := c.SendJoin("full", "")
			c.Expect(tenantLimited(joinRef, ref, "full", value, "tenant."+tt.key))
			if err := tt.call(tenant); !errors.Is(err, host.ErrTenantLimit) || !strings.HasSuffix(err.Error(), `": `+tt.told) {
				t.Errorf("error %v, want %s", err, tt.told)
			}
			c.Push("a", "add", fmt.Sprintf("[%q,%q]", tt.over[0], tt.over[1]))
			c.Expect(`["11","11","a","phx_error",{"reason":"channel_crash"}]`)
			if after := fmt.Sprint(tenant.Groups(), tenant.Info().StateBytes); after != before {
				t.Errorf("groups %s, they were %s", after, before)
			}
			wantRefused(t, s, map[string]int64{tt.key: 3})
			want := fmt.Sprintf(`effects[0] group_add of "news": group %q: %s`, tt.over[0], tt.told)
			if log := strings.ReplaceAll(s.log.String(), `\"`, `"`); !strings.Contains(log, want) {
				t.Errorf("the log does not say %s:\n%s", want, log)
			}
		})
	}
}

// TestBroadcastsToGroupsAreLimited: what the broadcasts of one callback reach is as
// much as one group may have.
func TestBroadcastsToGroupsAreLimited(t *testing.T) {
	h, all := organiser(), groupEffect(abi.EffectGroupBroadcast, "g", "")
	h.in["twice"] = replyWith(all, all)
	s := startConfig(t, h, tenants(host.TenantLimits{GroupTopics: 3}))
	c := s.at(t, acme)
	c.Join("a", "")
	says(c, "add", "g", "a")
	ref := c.Push("a", "twice", "")
	c.Expect(`[null,null,"a","news",{"n":1}]`)
	c.Expect(`[null,null,"a","news",{"n":1}]`)
	c.Expect(reply("11", ref, "a", `{}`))
	says(c, "add", "g", "x")
	c.Push("a", "twice", "")
	c.Expect(`["11","11","a","phx_error",{"reason":"channel_crash"}]`)
	const want = `effects[1] group_broadcast of "news": group "g": 4 topics reached by one callback: over the limit of 3 group_topics (tenant.group_topics)`
	if log := strings.ReplaceAll(s.log.String(), `\"`, `"`); !strings.Contains(log, want) {
		t.Errorf("the log does not say %s:\n%s", want, log)
	}
}

// TestBerylGroups are the cases of beryl's groups by their numbers (section 8.2 of the
// project's reference), as calls over HTTP.
func TestBerylGroups(t *testing.T) {
	const done, missing = "200 {}", `404 {"error":{"code":"NO_SUCH_GROUP","message":"group \"g\": no such group"}}`
	type step struct{ call, body, want string }
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"37 start empty", []step{{"", "", `200 {"groups":[]}`}}},
		{"38 create and list", []step{
			{"create", `{"group":"h"}`, done},
			{"create", `{"group":"g"}`, done},
			{"", "", `200 {"groups":[{"group":"g","topics":0},{"group":"h","topics":0}]}`},
		}},
		{"39 create one that exists", []step{
			{"create", `{"group":"g"}`, done},
			{"create", `{"group":"g"}`, `409 {"error":{"code":"GROUP_EXISTS","message":"group \"g\": the group exists"}}`},
		}},
		{"40 add", []step{
			{"create", `{"group":"g"}`, done},
			{"add", `{"group":"g","topic":"b"}`, done},
			{"add", `{"group":"g","topic":"a"}`, done},
			{"?group=g", "", `200 {"group":"g","topics":["b","a"]}`},
			{"", "", `200 {"groups":[{"group":"g","topics":2}]}`},
		}},
		{"41 add twice", []step{
			{"create", `{"group":"g"}`, done},
			{"add", `{"group":"g","topic":"a"}`, done},
			{"add", `{"group":"g","topic":"a"}`, done},
			{"?group=g", "", `200 {"group":"g","topics":["a"]}`},
		}},
		{"42 remove", []step{
			{"create", `{"group":"g"}`, done},
			{"add", `{"group":"g","topic":"a"}`, done},
			{"remove", `{"group":"g","topic":"a"}`, done},
			{"remove", `{"group":"g","topic":"never"}`, done},
			{"?group=g", "", `200 {"group":"g","topics":[]}`},
		}},
		{"43 not found for each call", []step{
			{"delete", `{"group":"g"}`, missing},
			{"add", `{"group":"g","topic":"a"}`, missing},
			{"remove", `{"group":"g","topic":"a"}`, missing},
			{"broadcast", `{"group":"g","event":"e"}`, missing},
			{"?group=g", "", missing},
		}},
		{"44 delete", []step{
			{"create", `{"group":"g"}`, done},
			{"add", `{"group":"g","topic":"a"}`, done},
			{"delete", `{"group":"g"}`, done},
			{"", "", `200 {"groups":[]}`},
			{"broadcast", `{"group":"g","event":"e"}`, missing},
		}},
		{"45 delete missing", []step{
			{"create", `{"group":"g"}`, done},
			{"delete", `{"group":"g"}`, done},
			{"delete", `{"group":"g"}`, missing},
		}},
		{"46 a fresh group is empty", []step{
			{"create", `{"group":"g"}`, done},
			{"?group=g", "", `200 {"group":"g","topics":[]}`},
			{"broadcast", `{"group":"g","event":"e"}`, done},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, &script{}, host.Mount{})
			c := s.dial(t)
			c.Join("a", "")
			for _, st := range tt.steps {
				wantCall(t, s, st.call, st.body, st.want)
			}
			c.ExpectSilence()
		})
	}
	t.Run("47 broadcast reaches all member topics", func(t *testing.T) {
		s := start(t, &script{}, host.Mount{})
		a, b, c := s.dial(t), s.dial(t), s.dial(t)
		a.Join("a", "")
		b.Join("b", "")
		b.Join("a", "")
		c.Join("c", "")
		wantCall(t, s, "create", `{"group":"g"}`, done)
		for _, topic := range []string{"b", "a"} {
			wantCall(t, s, "add", fmt.Sprintf(`{"group":"g","topic":%q}`, topic), done)
		}
		wantCall(t, s, "broadcast", `{"group":"g","event":"e","payload":{"n":1}}`, done)
		a.Expect(`[null,null,"a","e",{"n":1}]`)
		b.Expect(`[null,null,"b","e",{"n":1}]`)
		b.Expect(`[null,null,"a","e",{"n":1}]`)
		for _, client := range []*hosttest.Client{a, b, c} {
			client.ExpectSilence()
		}
	})
}

// wantCall calls the API on groups: a GET where there is no body.
func wantCall(t *testing.T, s *server, name, body, want string) {
	t.Helper()
	method, path := http.MethodPost, "/api/v1/groups/"+name
	if body == "" {
		method, path = http.MethodGet, "/api/v1/groups"+name
	}
	status, answer := call(t, method, s.internal+path, body, "")
	if got := fmt.Sprintf("%d %s", status, strings.TrimSuffix(answer, "\n")); got != want {
		t.Errorf("%s %s: %s\nwant %s", path, body, got, want)
	}
}

func TestGroupCallsRefuse(t *testing.T) {
	s := startConfig(t, &script{}, tenants(host.TenantLimits{GroupTopics: 1}))
	long := strings.Repeat("x", 256)
	refused := func(status int, code, message string) string {
		return fmt.Sprintf(`%d {"error":{"code":%q,"message":%s}}`, status, code, quote(message))
	}
	bad := func(message string) string { return refused(400, "BAD_REQUEST", message) }
	const noTenant = `no such tenant is declared: "acne"`
	for _, tt := range []struct{ call, body, want string }{
		{"create", `{}`, bad("group is missing")},
		{"create", `{"group":"g","topic":"t"}`, bad("topic is for groups/add and groups/remove")},
		{"delete", `{"group":"g","event":"e"}`, bad("event and payload are for groups/broadcast")},
		{"add", `{"group":"g"}`, bad("topic is missing")},
		{"add", `{"group":"g","topic":"t","payload":{}}`, bad("event and payload are for groups/broadcast")},
		{"remove", `{"group":"g"}`, bad("topic is missing")},
		{"broadcast", `{"group":"g"}`, bad("event is missing")},
		{"broadcast", `{"group":"g","event":"e","topic":"t"}`, bad("topic is for groups/add and groups/remove")},
		{"create", `{"group":"g","reason":"r"}`, bad("reason is for suspend and resume")},
		{"create", `{"group":7}`, bad("group is a JSON number, it has to be a string")},
		{"create", `{"group":"` + long + `"}`, refused(400, "INVALID_GROUP", "the name of a group is not UTF-8 of 1 to 255 bytes")},
		{"list", `{"group":"g"}`, refused(404, "NOT_FOUND", "no such call: groups/list")},
		{"create", `{"group":"g","tenant":"acne"}`, refused(404, "NO_SUCH_TENANT", noTenant)},
		{"?tenant=acne", ``, refused(404, "NO_SUCH_TENANT", noTenant)},
		{"?name=g", ``, bad(`there is no parameter "name"; tenant and group are`)},
		{"?group=", ``, refused(404, "NO_SUCH_GROUP", `group "": no such group`)},
		{"create", `{"group":"g","tenant":"acme"}`, "200 {}"},
		{"add", `{"group":"g","topic":"` + long + `","tenant":"acme"}`, refused(400, "INVALID_TOPIC", "topic is not UTF-8 of 1 to 255 bytes")},
		{"add", `{"group":"g","topic":"t","tenant":"acme"}`, "200 {}"},
		{"add", `{"group":"g","topic":"u","tenant":"acme"}`, refused(409, "TENANT_LIMIT", `group "g": over the limit of 1 group_topics (tenant.group_topics)`)},
		{"broadcast", `{"group":"g","event":"phx_close","tenant":"acme"}`, refused(400, "INVALID_EVENT", "events that begin with phx_ belong to the protocol")},
		{"broadcast", `{"group":"g","event":"e","payload":[],"tenant":"acme"}`, refused(400, "INVALID_PAYLOAD", "payload is not a JSON object of up to 256 KiB (any JSON value in send_info)")},
		{"?tenant=acme&group=g", ``, `200 {"group":"g","topics":["t"]}`},
		{"?tenant=acme", ``, `200 {"groups":[{"group":"g","topics":1}]}`},
		{"?tenant=umbrella", ``, `200 {"groups":[]}`},
	} {
		wantCall(t, s, tt.call, tt.body, tt.want)
	}
	for _, tt := range []struct{ method, path, body, want string }{
		{"POST", "groups", `{}`, `405 {"error":{"code":"METHOD","message":"use GET"}}`},
		{"GET", "groups/create", ``, `405 {"error":{"code":"METHOD","message":"use POST"}}`},
		{"POST", "broadcast", `{"group":"g","event":"e","topic":"t"}`, bad("group is for the calls on groups")},
		{"POST", "suspend", `{"group":"g","tenant":"acme"}`, bad("group is for the calls on groups")},
	} {
		status, answer := call(t, tt.method, s.internal+"/api/v1/"+tt.path, tt.body, "")
		if got := fmt.Sprintf("%d %s", status, strings.TrimSuffix(answer, "\n")); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.method, tt.path, got, tt.want)
		}
	}
}

// TestGroupCallsInGo: each with what it may return, and the default tenant's are the
// server's.
func TestGroupCallsInGo(t *testing.T) {
	s := startConfig(t, &script{}, tenants(host.TenantLimits{}))
	c := s.at(t, nobody)
	c.Join("t", "")
	payload := []byte(`{"n":1}`)
	for _, tt := range []struct {
		name string
		err  error
		want error
	}{
		{"create", s.CreateGroup("g"), nil},
		{"create it again", s.CreateGroup("g"), host.ErrGroupExists},
		{"create with a bad name", s.CreateGroup("\xff"), host.ErrInvalidGroup},
		{"delete a bad name", s.DeleteGroup(""), host.ErrInvalidGroup},
		{"delete none", s.DeleteGroup("h"), host.ErrNoSuchGroup},
		{"add", s.AddToGroup("g", "t"), nil},
		{"add a bad topic", s.AddToGroup("g", ""), host.ErrInvalidTopic},
		{"add to a bad name", s.AddToGroup("", "t"), host.ErrInvalidGroup},
		{"add to none", s.AddToGroup("h", "t"), host.ErrNoSuchGroup},
		{"remove a bad topic", s.RemoveFromGroup("g", ""), host.ErrInvalidTopic},
		{"remove from none", s.RemoveFromGroup("h", "t"), host.ErrNoSuchGroup},
		{"broadcast a bad event", s.BroadcastGroup("g", "", nil), host.ErrInvalidEvent},
		{"broadcast a reserved event", s.BroadcastGroup("g", "phx_reply", nil), host.ErrReservedEvent},
		{"broadcast a list", s.BroadcastGroup("g", "e", []byte(`[]`)), host.ErrInvalidPayload},
		{"broadcast to none", s.BroadcastGroup("h", "e", nil), host.ErrNoSuchGroup},
		{"broadcast", s.BroadcastGroup("g", "e", payload), nil},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.err, tt.want)
		}
	}
	c.Expect(`[null,null,"t","e",{"n":1}]`)
	if list := s.Groups(); !slices.Equal(list, []host.GroupInfo{{Group: "g", Topics: 1}}) {
		t.Errorf("groups %v", list)
	}
	topics, err := s.GroupTopics("g")
	if err != nil || !slices.Equal(topics, []string{"t"}) {
		t.Errorf("topics %v, %v", topics, err)
	}
	topics[0] = "mine" // a copy
	if _, err := s.GroupTopics("h"); !errors.Is(err, host.ErrNoSuchGroup) {
		t.Error(err)
	}
	wantTopics(t, s.Server, "g", "t")
	if err := errors.Join(s.RemoveFromGroup("g", "t"), s.BroadcastGroup("g", "e", nil), s.DeleteGroup("g")); err != nil {
		t.Error(err)
	}
	c.ExpectSilence()
}

// TestGroupsOfASuspendedTenant stay, and can be looked at; all else waits until it is
// resumed.
func TestGroupsOfASuspendedTenant(t *testing.T) {
	s := startConfig(t, &script{}, tenants(host.TenantLimits{}))
	tenant := s.tenant(t, "acme")
	if err := errors.Join(tenant.CreateGroup("g"), tenant.AddToGroup("g", "t")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Suspend("acme", ""); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"create": tenant.CreateGroup("h"), "delete": tenant.DeleteGroup("g"), "add": tenant.AddToGroup("g", "u"),
		"remove": tenant.RemoveFromGroup("g", "t"), "broadcast": tenant.BroadcastGroup("g", "e", nil),
	} {
		if !errors.Is(err, host.ErrSuspended) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantCall(t, s, "create", `{"tenant":"acme","group":"h"}`, `409 {"error":{"code":"TENANT_SUSPENDED","message":"the tenant is suspended"}}`)
	wantCall(t, s, "?tenant=acme&group=g", "", `200 {"group":"g","topics":["t"]}`)
	if _, err := s.Resume("acme", ""); err != nil {
		t.Fatal(err)
	}
	wantCall(t, s, "delete", `{"tenant":"acme","group":"g"}`, "200 {}")
}
