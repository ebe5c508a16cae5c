package host

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// PluginCall is a call of the API about one plugin: POST /api/v1/plugins/PLUGIN/ACTION.
type PluginCall struct {
	Plugin, Action string
	Options        map[string]string // of the query
	Body           []byte            // valid during the call
	From           string            // address of who calls
}

// CheckOptions refuses options that are none of those of the call.
func (c *PluginCall) CheckOptions(known ...string) error {
	for key := range c.Options {
		if !slices.Contains(known, key) {
			return &APIError{Status: fasthttp.StatusBadRequest, Code: "BAD_REQUEST", Message: fmt.Sprintf("no such option: %q; there are %q", key, known)}
		}
	}
	return nil
}

// APIError is the error of a call that says how to answer.
type APIError struct {
	Status  int    // of HTTP
	Code    string // in capitals, for programs
	Message string
}

// Error returns the message.
func (e *APIError) Error() string { return e.Message }

// pluginsPath is what the calls about plugins begin with.
const pluginsPath = "/api/v1/plugins/"

// maxModuleBody bounds the body of a call about a plugin, in bytes: what holds the largest
// module that may be loaded, with some room for what a toolchain leaves in it.
const maxModuleBody = 32 << 20

// pluginCall answers a call about a plugin; false if path is none.
func (s *Server) pluginCall(ctx *fasthttp.RequestCtx, path string) bool {
	rest, ok := strings.CutPrefix(path, pluginsPath)
	name, action, both := strings.Cut(rest, "/")
	if !ok || !both || s.cfg.PluginCall == nil {
		return false
	}
	if !ctx.IsPost() {
		notAllowed(ctx, "POST")
		return true
	}
	name, err := url.PathUnescape(name)
	if err != nil {
		apiError(ctx, fasthttp.StatusBadRequest, "BAD_REQUEST", "the plugin's name in the path: "+err.Error())
		return true
	}
	call := PluginCall{Plugin: name, Action: action, Options: map[string]string{}, Body: ctx.PostBody(), From: ctx.RemoteAddr().String()}
	for key, value := range ctx.QueryArgs().All() {
		call.Options[string(key)] = string(value)
	}
	answer, err := s.cfg.PluginCall(&call)
	var api *APIError
	switch {
	case err == nil:
		answerJSON(ctx, answer)
	case errors.As(err, &api):
		apiError(ctx, api.Status, api.Code, err.Error())
	default:
		apiError(ctx, fasthttp.StatusInternalServerError, "INTERNAL", err.Error())
	}
	return true
}

// internalBodyLimit is bodyLimit on the internal port, where modules are sent.
func internalBodyLimit(h *fasthttp.RequestHeader) int {
	if h.IsPost() && bytes.HasPrefix(h.RequestURI(), []byte(pluginsPath)) {
		return maxModuleBody
	}
	return bodyLimit(h)
}
