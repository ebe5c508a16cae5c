package host

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"
)

// apiCall is the body of every POST of the internal API. Each call says which
// fields it reads; unknown ones are refused.
type apiCall struct {
	Topic          string          `json:"topic"`
	Event          string          `json:"event"`
	Payload        json.RawMessage `json:"payload"`
	SocketID       string          `json:"socket_id"`
	ExceptSocketID string          `json:"except_socket_id"`
	IDTopic        string          `json:"id_topic"`
	Group          string          `json:"group"`
	Tenant         string          `json:"tenant"`
	Reason         string          `json:"reason"`
}

// handleInternal answers every request on the internal port.
func (s *Server) handleInternal(ctx *fasthttp.RequestCtx) {
	path := string(ctx.Path())
	switch path {
	case "/livez", "/healthz":
		ctx.SetBodyString("ok\n")
		return
	case "/readyz":
		if s.draining.Load() {
			ctx.Error("draining\n", fasthttp.StatusServiceUnavailable)
			return
		}
		ctx.SetBodyString("ok\n")
		return
	}
	name, isAPI := strings.CutPrefix(path, "/api/v1/")
	switch {
	case !isAPI:
		apiError(ctx, fasthttp.StatusNotFound, "NOT_FOUND", "no such path: "+path)
	case !s.authorized(ctx):
		apiError(ctx, fasthttp.StatusUnauthorized, "UNAUTHORIZED",
			"give the key internal.token as: Authorization: Bearer KEY; without a token only programs on this machine may call")
	case name == "info":
		apiGet(ctx, func() any { return s.Info() })
	case name == "tenants":
		apiGet(ctx, func() any { return map[string][]TenantInfo{"tenants": s.Info().Tenants} })
	case name == "plugins":
		apiGet(ctx, s.pluginStats)
	case name == "groups":
		s.apiGroups(ctx)
	case s.pluginCall(ctx, string(ctx.Request.URI().PathOriginal())):
	default:
		s.apiPost(ctx, name)
	}
}

// authorized checks the bearer key. Without a configured one only this machine
// may call, and no web page through a browser on it: those send an Origin, or
// reach the port by a name that is not this machine's.
func (s *Server) authorized(ctx *fasthttp.RequestCtx) bool {
	if s.cfg.Token == "" {
		return ctx.RemoteIP().IsLoopback() && len(ctx.Request.Header.Peek("Origin")) == 0 && loopbackHost(string(ctx.Host()))
	}
	key, ok := strings.CutPrefix(string(ctx.Request.Header.Peek("Authorization")), "Bearer ")
	return ok && subtle.ConstantTimeCompare([]byte(key), []byte(s.cfg.Token)) == 1
}

func loopbackHost(hostport string) bool {
	name, _, err := net.SplitHostPort(hostport)
	if err != nil {
		name = hostport
	}
	addr, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && addr.IsLoopback()
}

// apiGet answers with what get returns, as JSON.
func apiGet(ctx *fasthttp.RequestCtx, get func() any) {
	if !ctx.IsGet() {
		notAllowed(ctx, "GET")
		return
	}
	answerJSON(ctx, get())
}

func answerJSON(ctx *fasthttp.RequestCtx, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		apiError(ctx, fasthttp.StatusInternalServerError, "INTERNAL", err.Error())
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(append(body, '\n'))
}

// pluginStats is what GET /api/v1/plugins answers.
func (s *Server) pluginStats() any {
	var list any = []any{}
	if s.cfg.PluginStats != nil {
		list = s.cfg.PluginStats()
	}
	return map[string]any{"plugins": list}
}

// apiDo is what one of the calls of the server API does with its tenant, and the
// answer. by is who calls.
type apiDo func(t *Tenant, c *apiCall, by string) (any, error)

// mute is a call with nothing to answer.
func mute(do func(*Tenant, *apiCall) error) apiDo {
	return func(t *Tenant, c *apiCall, _ string) (any, error) { return struct{}{}, do(t, c) }
}

// apiCalls returns the calls: broadcast, push, send_info, disconnect, suspend,
// resume, and those on groups.
func apiCalls() map[string]apiDo {
	calls := map[string]apiDo{
		"broadcast": mute(func(t *Tenant, c *apiCall) error {
			return t.BroadcastFrom(c.ExceptSocketID, c.Topic, c.Event, c.Payload)
		}),
		"push": mute(func(t *Tenant, c *apiCall) error {
			return t.Push(c.SocketID, c.Topic, c.Event, c.Payload)
		}),
		"send_info": mute(func(t *Tenant, c *apiCall) error {
			return t.SendInfo(c.SocketID, c.Topic, c.Event, c.Payload)
		}),
		"disconnect": mute(func(t *Tenant, c *apiCall) error { return t.Disconnect(c.IDTopic) }),
		"suspend": func(t *Tenant, c *apiCall, by string) (any, error) {
			out, err := t.srv.suspend(t.name, c.Reason, by)
			return apiOutcome(out), err
		},
		"resume": func(t *Tenant, c *apiCall, by string) (any, error) {
			out, err := t.srv.resume(t.name, c.Reason, by)
			return apiOutcome(out), err
		},
	}
	addGroupCalls(calls)
	return calls
}

// notKept goes with an outcome that a restart undoes.
const notKept = "data_dir is not set: a restart resumes all tenants"

// apiOutcome is out as a call answers it.
func apiOutcome(out Outcome) any {
	note := ""
	if out.Suspended && !out.Kept {
		note = notKept
	}
	return struct {
		Outcome
		Note string `json:"note,omitempty"`
	}{out, note}
}

// apiPost does one of the calls.
func (s *Server) apiPost(ctx *fasthttp.RequestCtx, name string) {
	do := apiCalls()[name]
	switch {
	case do == nil:
		apiError(ctx, fasthttp.StatusNotFound, "NOT_FOUND", "no such call: "+name)
		return
	case !ctx.IsPost():
		notAllowed(ctx, "POST")
		return
	}
	call, problem := decodeCall(ctx.PostBody(), name)
	if problem != "" {
		apiError(ctx, fasthttp.StatusBadRequest, "BAD_REQUEST", problem)
		return
	}
	t := s.apiTenant(ctx, call.Tenant)
	if t == nil {
		return
	}
	answer, err := do(t, call, ctx.RemoteAddr().String())
	if err != nil {
		apiFailure(ctx, err)
		return
	}
	answerJSON(ctx, answer)
}

// apiTenant returns the tenant of a call, nil if it has answered that there is none.
func (s *Server) apiTenant(ctx *fasthttp.RequestCtx, name string) *Tenant {
	t, ok := s.Tenant(name)
	if !ok {
		apiError(ctx, fasthttp.StatusNotFound, "NO_SUCH_TENANT", fmt.Sprintf("%s: %q", ErrNoSuchTenant, logText([]byte(name))))
		return nil
	}
	return t
}

// apiFailure answers a call that did not work.
func apiFailure(ctx *fasthttp.RequestCtx, err error) {
	status, code := apiStatus(err)
	apiError(ctx, status, code, err.Error())
}

func notAllowed(ctx *fasthttp.RequestCtx, method string) {
	apiError(ctx, fasthttp.StatusMethodNotAllowed, "METHOD", "use "+method)
	ctx.Response.Header.Set("Allow", method)
}

// decodeCall reads a body and tells what is wrong with it, "" when nothing.
func decodeCall(body []byte, name string) (call *apiCall, problem string) {
	call = new(apiCall)
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var wrongType *json.UnmarshalTypeError
	switch err := dec.Decode(call); {
	case errors.Is(err, io.EOF):
		return nil, "the body is empty, it has to be a JSON object"
	case errors.As(err, &wrongType):
		return nil, wrongType.Field + " is a JSON " + wrongType.Value + ", it has to be a string"
	case err != nil:
		return nil, "the body is not the JSON object that this call takes: " + strings.TrimPrefix(err.Error(), "json: ")
	case dec.More():
		return nil, "something follows the JSON object"
	}
	return call, call.missing(name)
}

// missing tells which field a call lacks, or has and would not look at.
func (c *apiCall) missing(name string) (problem string) {
	suspends, ofGroups := name == "suspend" || name == "resume", strings.HasPrefix(name, groupCalls)
	switch {
	case !suspends && c.Reason != "":
		return "reason is for suspend and resume"
	case !ofGroups && c.Group != "":
		return "group is for the calls on groups"
	case ofGroups:
		return c.missingOfGroup(name)
	case !suspends:
		return c.missingOfTopic(name)
	case c.Tenant == "":
		return "tenant is missing; " + ErrDefaultTenant.Error()
	}
	return ""
}

// missingOfTopic is missing of a call that is about a topic.
func (c *apiCall) missingOfTopic(name string) (problem string) {
	switch name {
	case "disconnect":
		if c.IDTopic == "" {
			return "id_topic is missing"
		}
		return ""
	case "push", "send_info":
		if c.SocketID == "" {
			return "socket_id is missing"
		}
	}
	switch {
	case c.Topic == "":
		return "topic is missing"
	case c.Event == "":
		return "event is missing"
	}
	return ""
}

func apiStatus(err error) (status int, code string) {
	switch {
	case errors.Is(err, ErrSuspended):
		return fasthttp.StatusConflict, "TENANT_SUSPENDED" // trying again is of no use before somebody resumes it
	case errors.Is(err, ErrNotKept):
		return fasthttp.StatusInternalServerError, "NOT_KEPT"
	case errors.Is(err, ErrInvalidReason):
		return fasthttp.StatusBadRequest, "INVALID_REASON"
	case errors.Is(err, ErrNotFound):
		return fasthttp.StatusNotFound, "NO_SUCH_CHANNEL"
	case errors.Is(err, ErrNoSuchGroup):
		return fasthttp.StatusNotFound, "NO_SUCH_GROUP"
	case errors.Is(err, ErrGroupExists):
		return fasthttp.StatusConflict, "GROUP_EXISTS"
	case errors.Is(err, ErrInvalidGroup):
		return fasthttp.StatusBadRequest, "INVALID_GROUP"
	case errors.Is(err, ErrTenantLimit):
		return fasthttp.StatusConflict, "TENANT_LIMIT" // of no use before something is given back
	case errors.Is(err, ErrOverloaded):
		return fasthttp.StatusServiceUnavailable, "OVERLOADED"
	case errors.Is(err, ErrInvalidTopic):
		return fasthttp.StatusBadRequest, "INVALID_TOPIC"
	case errors.Is(err, ErrInvalidEvent), errors.Is(err, ErrReservedEvent):
		return fasthttp.StatusBadRequest, "INVALID_EVENT"
	default:
		return fasthttp.StatusBadRequest, "INVALID_PAYLOAD"
	}
}

// apiError answers {"error":{"code","message"}}.
func apiError(ctx *fasthttp.RequestCtx, status int, code, message string) {
	type detail struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body, err := json.Marshal(map[string]detail{"error": {code, message}})
	if err != nil {
		body = []byte(`{"error":{"code":"INTERNAL","message":"cannot encode the error"}}`)
	}
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.SetBody(append(body, '\n'))
}
