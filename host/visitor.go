package host

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/wire"
	"github.com/valyala/fasthttp"
)

// visitor is a client that asks to be let in, by whatever transport.
type visitor struct {
	ctx       *fasthttp.RequestCtx
	mount     *Mount
	vars      []pathVar
	transport abi.Transport
	version   wire.Version
	token     string // of the mount's auth_token, "" for none
	claims    []byte // of the token, where the mount checks it
}

// version of the protocol that the client asks for, which without a word is the
// oldest (socket.ex, __connect__).
func (v *visitor) askedVersion() (wire.Version, bool) {
	args := v.ctx.QueryArgs()
	if args.Has("vsn") {
		return wire.ParseVersion(string(args.Peek("vsn")))
	}
	if args.Has("vsn[]") {
		return 0, false
	}
	return wire.Version1, true
}

// admit asks everybody who has a say whether the client may come in, in the
// order of phoenix transports/websocket.ex behind the checks of the transport.
func (s *Server) admit(v *visitor) (*connected, *refusal) {
	var ok bool
	if v.version, ok = v.askedVersion(); !ok {
		s.log.Info("client refused", "code", "VSN_UNSUPPORTED", "vsn", logText(v.ctx.QueryArgs().Peek("vsn")), "supported", "1.0.x 2.0.x")
		return nil, &refusal{fasthttp.StatusForbidden, ""} // no body, as Phoenix
	}
	return s.connect(v)
}

// Names of what a connect callback may see beside the request's own headers
// (SPEC.md section 3.1). No header of HTTP begins with a colon.
const (
	headerPeer      = ":peer"
	headerScheme    = ":scheme"
	headerAuthority = ":authority"
	headerPath      = ":path"
	headerAuthToken = ":auth_token"
	headerClaims    = ":claims"
)

// headersJSON returns the headers that the mount lets its connect callback see.
func (v *visitor) headersJSON() []byte {
	dst := []byte{'{'}
	add := func(name, value string) {
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendQuoted(dst, name), ':')
		dst = wire.AppendQuoted(dst, value)
	}
	if v.token != "" {
		add(headerAuthToken, v.token)
	}
	if v.claims != nil {
		add(headerClaims, string(v.claims))
	}
	for _, allowed := range v.mount.Headers {
		if strings.HasPrefix(allowed, ":") {
			add(allowed, v.pseudoHeader(allowed))
		}
	}
	for _, name := range v.headerNames() {
		values := v.ctx.Request.Header.PeekAll(name)
		texts := make([]string, len(values))
		for i, value := range values {
			texts[i] = string(value)
		}
		add(strings.ToLower(name), strings.Join(texts, ", "))
	}
	return append(dst, '}')
}

func (v *visitor) pseudoHeader(name string) string {
	switch name {
	case headerPeer:
		return v.ctx.RemoteAddr().String()
	case headerScheme:
		return scheme(v.ctx)
	case headerAuthority:
		return string(v.ctx.Host())
	default:
		return string(v.ctx.RequestURI())
	}
}

// scheme is how the client reached this server, as far as it can tell.
func scheme(ctx *fasthttp.RequestCtx) string {
	if ctx.IsTLS() {
		return "https"
	}
	return "http"
}

// headerNames returns the names of the request's headers that are allowed, each
// once, in order.
func (v *visitor) headerNames() []string {
	var names []string
	if len(v.mount.Headers) == 0 {
		return nil
	}
	for key := range v.ctx.Request.Header.All() {
		if name := string(key); v.allowsHeader(strings.ToLower(name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (v *visitor) allowsHeader(name string) bool {
	for _, allowed := range v.mount.Headers {
		prefix, open := strings.CutSuffix(allowed, "*")
		if name == allowed || open && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// tokenProtocol begins the subprotocol in which phoenix.js sends its auth token
// (transports/websocket.ex).
const tokenProtocol = "base64url.bearer.phx."

// takeToken takes the auth token out of the subprotocols that a client offers.
// phoenix.js says base64url and sends the standard alphabet, so both are read.
func takeToken(offered []string) (token string, rest []string, ok bool) {
	for _, p := range offered {
		encoded, isToken := strings.CutPrefix(p, tokenProtocol)
		switch {
		case !isToken:
			rest = append(rest, p)
			continue
		case token != "":
			continue // the first one counts
		}
		decoded, err := decodeBase64(strings.TrimRight(encoded, "="))
		if err != nil {
			return "", nil, false
		}
		token = string(decoded)
	}
	return token, rest, true
}

func decodeBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "-_") {
		return base64.RawURLEncoding.DecodeString(s)
	}
	return base64.RawStdEncoding.DecodeString(s)
}
