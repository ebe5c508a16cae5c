package host

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host/auth"
	"github.com/aviary-host/aviary/host/origin"
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
	token     string     // of the mount's auth_token, "" for none
	claims    []byte     // of the token, where the mount checks it
	client    netip.Addr // that the client comes from
	scheme    string     // by which it came
}

// askedVersion returns the version of the protocol that the client asks for,
// which without a word is the oldest (socket.ex, __connect__). Of several the
// last counts, as with all parameters, and one that is no text is none.
func (v *visitor) askedVersion() (version wire.Version, ok bool) {
	version, ok = wire.Version1, true
	for key, value := range v.ctx.QueryArgs().All() {
		path, _ := paramPath(string(key)) // nil when it is nested too deep
		switch {
		case len(path) == 0 || path[0] != "vsn":
		case len(path) > 1:
			ok = false
		default:
			version, ok = wire.ParseVersion(string(value))
		}
	}
	return version, ok
}

// admit asks everybody who has a say whether the client may come in, in the
// order of phoenix transports/websocket.ex behind the checks of the transport.
func (s *Server) admit(v *visitor) (*connected, *refusal) {
	var ok bool
	if v.version, ok = v.askedVersion(); !ok {
		v.mount.tenant.clientFault(v.mount.tenant.log, "client refused", "VSN_UNSUPPORTED", "vsn", logText(v.ctx.QueryArgs().Peek("vsn")), "supported", "1.0.x 2.0.x")
		return nil, &refusal{status: fasthttp.StatusForbidden, body: fmt.Sprintf("vsn %q is not spoken here; 1.0.x and 2.0.x are", logText(v.ctx.QueryArgs().Peek("vsn")))}
	}
	counted, refused := s.enterAddress(v)
	if refused != nil {
		return nil, refused
	}
	leave, refused := v.mount.tenant.enterTenant(v, counted)
	if refused != nil {
		return nil, refused
	}
	c, refused := s.admitPerson(v)
	if refused != nil {
		leave()
		return nil, refused
	}
	c.leave = leave
	return c, nil
}

// admitPerson asks who the client is, and then the mount's handler.
func (s *Server) admitPerson(v *visitor) (*connected, *refusal) {
	subject := ""
	if v.mount.Auth != nil {
		claims, err := s.authenticate(v)
		if err != nil {
			v.mount.tenant.clientFault(v.mount.tenant.log, "client refused", "UNAUTHENTICATED", "mount", v.mount.Path, "err", err)
			return nil, &refusal{status: fasthttp.StatusForbidden, body: err.Error()}
		}
		v.claims, subject = claims.JSON, claims.Subject
	}
	c, refused := s.connect(v)
	if refused != nil {
		v.mount.tenant.clientFault(v.mount.tenant.log, "client refused", "CONNECT_REFUSED", "mount", v.mount.Path, "plugin", v.mount.ConnectPlugin, "status", refused.status)
		return nil, refused
	}
	if c.idTopic == "" && v.mount.IDPrefix != "" && subject != "" {
		c.idTopic = v.mount.IDPrefix + subject
	}
	if n := len(c.idTopic); n > maxName { // no call of the API could name it
		problem := fmt.Sprintf("the token's subject makes an id topic of %d bytes, over %d (mount.jwt.id_prefix)", n, maxName)
		v.mount.tenant.clientFault(v.mount.tenant.log, "client refused", "ID_TOPIC", "mount", v.mount.Path, "err", problem)
		return nil, &refusal{status: fasthttp.StatusForbidden, body: problem}
	}
	return c, nil
}

// authTimeout bounds the wait for keys to check a token with.
const authTimeout = 5 * time.Second

// errNoToken tells that a client shows none where it has to.
var errNoToken = errors.New("a token is needed: as authToken of phoenix.js, or in the header Authorization")

func (s *Server) authenticate(v *visitor) (*auth.Claims, error) {
	token := v.token
	if token == "" {
		token, _ = strings.CutPrefix(string(v.ctx.Request.Header.Peek("Authorization")), "Bearer ")
	}
	if token == "" && v.mount.TokenParam != "" {
		token = string(v.ctx.QueryArgs().Peek(v.mount.TokenParam))
	}
	if token == "" {
		return nil, errNoToken
	}
	ctx, cancel := context.WithTimeout(s.ctx, authTimeout)
	defer cancel()
	return v.mount.Auth.Verify(ctx, token)
}

// allowsOrigin tells whether the page that a client runs in may connect.
func (s *Server) allowsOrigin(v *visitor) bool {
	values := v.ctx.Request.Header.PeekAll("Origin")
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	r := origin.Request{
		Origin: strings.Join(texts, ", "), HasOrigin: len(values) > 0,
		Scheme: v.scheme, Host: string(v.ctx.Host()),
	}
	if v.mount.Origins.Allows(r) {
		return true
	}
	v.mount.tenant.clientFault(v.mount.tenant.log, "client refused", "ORIGIN", "mount", v.mount.Path, "origin", logText([]byte(r.Origin)), "host", logText([]byte(r.Host)), "key", "mount.origins")
	return false
}

// Names of what a connect callback may see beside the request's own headers
// (SPEC.md section 3.1). No header of HTTP begins with a colon.
const (
	headerPeer      = ":peer"
	headerClient    = ":client"
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
	if v.token != "" && v.mount.AuthToken {
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
	case headerClient:
		return v.client.String()
	case headerScheme:
		return v.scheme
	case headerAuthority:
		return string(v.ctx.Host())
	default:
		return string(v.ctx.RequestURI())
	}
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

// takesToken tells whether the mount looks for a token of phoenix.js.
func (m *Mount) takesToken() bool { return m.AuthToken || m.Auth != nil }

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
