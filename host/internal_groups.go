package host

import (
	"fmt"

	"github.com/valyala/fasthttp"
)

// addGroupCalls adds the calls on groups.
func addGroupCalls(calls map[string]apiDo) {
	for name, do := range map[string]func(*Tenant, *apiCall) error{
		"create":    func(t *Tenant, c *apiCall) error { return t.CreateGroup(c.Group) },
		"delete":    func(t *Tenant, c *apiCall) error { return t.DeleteGroup(c.Group) },
		"add":       func(t *Tenant, c *apiCall) error { return t.AddToGroup(c.Group, c.Topic) },
		"remove":    func(t *Tenant, c *apiCall) error { return t.RemoveFromGroup(c.Group, c.Topic) },
		"broadcast": func(t *Tenant, c *apiCall) error { return t.BroadcastGroup(c.Group, c.Event, c.Payload) },
	} {
		calls[groupCalls+name] = mute(do)
	}
}

// groupCalls begins the names of the calls on groups.
const groupCalls = "groups/"

// missingOfGroup is missing of a call on groups.
func (c *apiCall) missingOfGroup(name string) (problem string) {
	ofTopic, ofEvent := name == groupCalls+"add" || name == groupCalls+"remove", name == groupCalls+"broadcast"
	switch {
	case c.Group == "":
		return "group is missing"
	case ofTopic && c.Topic == "":
		return "topic is missing"
	case !ofTopic && c.Topic != "":
		return "topic is for groups/add and groups/remove"
	case ofEvent && c.Event == "":
		return "event is missing"
	case !ofEvent && (c.Event != "" || c.Payload != nil):
		return "event and payload are for groups/broadcast"
	}
	return ""
}

// apiGroups answers GET /api/v1/groups: all groups of a tenant, or the topics of the
// one that is named.
func (s *Server) apiGroups(ctx *fasthttp.RequestCtx) {
	if !ctx.IsGet() {
		notAllowed(ctx, "GET")
		return
	}
	args := ctx.QueryArgs()
	for key := range args.All() {
		if k := string(key); k != "tenant" && k != "group" {
			apiError(ctx, fasthttp.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf("there is no parameter %q; tenant and group are", logText(key)))
			return
		}
	}
	t := s.apiTenant(ctx, string(args.Peek("tenant")))
	switch {
	case t == nil:
	case args.Has("group"):
		name := string(args.Peek("group"))
		topics, err := t.GroupTopics(name)
		if err != nil {
			apiFailure(ctx, err)
			return
		}
		answerJSON(ctx, struct {
			Group  string   `json:"group"`
			Topics []string `json:"topics"`
		}{name, topics})
	default:
		answerJSON(ctx, map[string][]GroupInfo{"groups": t.Groups()})
	}
}
