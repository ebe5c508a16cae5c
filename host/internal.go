package host

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
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
	case name == "info" && ctx.IsGet():
		s.apiInfo(ctx)
	case name == "info":
		notAllowed(ctx, "GET")
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

func (s *Server) apiInfo(ctx *fasthttp.RequestCtx) {
	body, err := json.Marshal(s.Info())
	if err != nil {
		apiError(ctx, fasthttp.StatusInternalServerError, "INTERNAL", err.Error())
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(append(body, '\n'))
}

// apiPost does one of the calls of the server API: broadcast, push, send_info,
// disconnect.
func (s *Server) apiPost(ctx *fasthttp.RequestCtx, name string) {
	do := map[string]func(*apiCall) error{
		"broadcast":  func(c *apiCall) error { return s.BroadcastFrom(c.ExceptSocketID, c.Topic, c.Event, c.Payload) },
		"push":       func(c *apiCall) error { return s.Push(c.SocketID, c.Topic, c.Event, c.Payload) },
		"send_info":  func(c *apiCall) error { return s.SendInfo(c.SocketID, c.Topic, c.Event, c.Payload) },
		"disconnect": func(c *apiCall) error { return s.Disconnect(c.IDTopic) },
	}[name]
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
	if err := do(call); err != nil {
		status, code := apiStatus(err)
		apiError(ctx, status, code, err.Error())
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBodyString("{}\n")
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
	case (name == "push" || name == "send_info") && call.SocketID == "":
		return nil, "socket_id is missing"
	case name == "disconnect" && call.IDTopic == "":
		return nil, "id_topic is missing"
	case name != "disconnect" && call.Topic == "":
		return nil, "topic is missing"
	case name != "disconnect" && call.Event == "":
		return nil, "event is missing"
	}
	return call, ""
}

func apiStatus(err error) (status int, code string) {
	switch {
	case errors.Is(err, ErrNotFound):
		return fasthttp.StatusNotFound, "NO_SUCH_CHANNEL"
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
