package host

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/aviary-host/aviary/abi"
	"github.com/valyala/fasthttp"
)

// acceptGUID is what RFC 6455 section 1.3 appends to the client's key.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// handleHTTP answers every request on the public port.
func (s *Server) handleHTTP(ctx *fasthttp.RequestCtx) {
	e, vars := s.endpoints.find(ctx.URI())
	if e == nil {
		s.servePage(ctx)
		return
	}
	v := &visitor{
		ctx: ctx, mount: e.mount, vars: vars, transport: abi.TransportWebSocket,
		client: s.addresses.clientAddress(ctx), scheme: s.addresses.scheme(ctx),
	}
	if e.longPoll {
		v.transport = abi.TransportLongPoll
		s.longPoll(v)
		return
	}
	s.upgrade(v)
}

// upgrade makes a WebSocket of a request, or refuses it. The order of the
// checks is that of phoenix transports/websocket.ex.
func (s *Server) upgrade(v *visitor) {
	ctx := v.ctx
	if !ctx.IsGet() {
		ctx.SetStatusCode(fasthttp.StatusBadRequest)
		return
	}
	if s.draining.Load() {
		refuse(ctx, &refusal{status: fasthttp.StatusServiceUnavailable, body: "draining"})
		return
	}
	if v.mount.tenant.suspended.Load() != nil {
		v.mount.tenant.refuseSuspended(v)
		return
	}
	accept, problem := acceptKey(&ctx.Request.Header)
	if problem != "" {
		refuse(ctx, &refusal{status: fasthttp.StatusBadRequest, body: problem})
		return
	}
	if !s.allowsOrigin(v) {
		refuse(ctx, &refusal{status: fasthttp.StatusForbidden, body: "pages of this origin may not connect (mount.origins)"})
		return
	}
	protocol, refused := v.negotiate()
	if refused != nil {
		refuse(ctx, refused)
		return
	}
	c, refused := s.admit(v)
	if refused != nil {
		refuse(ctx, refused)
		return
	}
	h := &ctx.Response.Header
	ctx.SetStatusCode(fasthttp.StatusSwitchingProtocols)
	h.Set("Upgrade", "websocket")
	h.Set("Connection", "Upgrade")
	h.Set("Sec-WebSocket-Accept", accept)
	if protocol != "" {
		h.Set("Sec-WebSocket-Protocol", protocol)
	}
	if v.mount.Compress {
		if answer := negotiateDeflate(listed(&ctx.Request.Header, "Sec-WebSocket-Extensions")); answer != "" {
			c.deflates = true
			h.Set("Sec-WebSocket-Extensions", answer)
		}
	}
	key := ctx.Conn()
	s.handshakes.Store(key, c)
	ctx.Hijack(func(conn net.Conn) {
		s.handshakes.Delete(key)
		s.adopt(v.mount, conn, c)
	})
}

// connState gives back what was counted for a client whose connection has ended
// before the answer to its handshake was written: then fasthttp does not call
// the function that makes its socket.
func (s *Server) connState(conn net.Conn, state fasthttp.ConnState) {
	if state != fasthttp.StateClosed {
		return
	}
	if c, ok := s.handshakes.LoadAndDelete(conn); ok {
		c.(*connected).leave()
	}
}

// negotiate looks at the subprotocols that the client offers, of which one may
// be its auth token (transports/websocket.ex), and chooses one.
func (v *visitor) negotiate() (protocol string, refused *refusal) {
	offered := listed(&v.ctx.Request.Header, "Sec-WebSocket-Protocol")
	configured := v.mount.Subprotocols
	if v.mount.takesToken() {
		var ok bool
		if v.token, offered, ok = takeToken(offered); !ok {
			return "", &refusal{status: fasthttp.StatusBadRequest, body: "the auth token in sec-websocket-protocol is not base64"}
		}
		configured = append([]string{phoenixProtocol}, configured...)
	}
	protocol, ok := chooseSubprotocol(configured, offered)
	if !ok {
		return "", &refusal{status: fasthttp.StatusForbidden}
	}
	return protocol, nil
}

// phoenixProtocol is what phoenix.js offers beside its auth token.
const phoenixProtocol = "phoenix"

func refuse(ctx *fasthttp.RequestCtx, r *refusal) {
	ctx.SetStatusCode(r.status)
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.SetBodyString(r.body)
}

// acceptKey checks the handshake (RFC 6455 section 4.2.1) and returns the
// answer to its key, or what is wrong with it.
func acceptKey(h *fasthttp.RequestHeader) (accept, problem string) {
	if !h.ConnectionUpgrade() {
		return "", fmt.Sprintf("'connection' header must contain 'upgrade', got %s", listHeader(h, "Connection"))
	}
	if !strings.EqualFold(string(h.Peek("Upgrade")), "websocket") {
		return "", fmt.Sprintf("'upgrade' header must contain 'websocket', got %s", listHeader(h, "Upgrade"))
	}
	if v := h.Peek("Sec-WebSocket-Version"); string(v) != "13" {
		return "", fmt.Sprintf("'sec-websocket-version' header must equal '13', got %s", listHeader(h, "Sec-WebSocket-Version"))
	}
	key := string(h.Peek("Sec-WebSocket-Key"))
	if raw, err := base64.StdEncoding.DecodeString(key); err != nil || len(raw) != 16 {
		return "", "'sec-websocket-key' header must be 16 bytes in base64"
	}
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:]), ""
}

// listHeader prints a header's values as a list, as Phoenix does.
func listHeader(h *fasthttp.RequestHeader, name string) string {
	values := h.PeekAll(name)
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = fmt.Sprintf("%q", v)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// listed returns the elements of a header that is a list.
func listed(h *fasthttp.RequestHeader, name string) []string {
	var all []string
	for _, line := range h.PeekAll(name) {
		for _, element := range strings.Split(string(line), ",") {
			if element = strings.TrimSpace(element); element != "" {
				all = append(all, element)
			}
		}
	}
	return all
}

// chooseSubprotocol returns the first configured protocol that the client
// offers too; not ok when some are configured and none fits. Without any the
// header is ignored (phoenix transport.ex, check_subprotocols).
func chooseSubprotocol(configured, offered []string) (protocol string, ok bool) {
	if len(configured) == 0 || len(offered) == 0 {
		return "", true
	}
	for _, p := range configured {
		if slices.Contains(offered, p) {
			return p, true
		}
	}
	return "", false
}

// adopt gives a connection its socket, and to a loop if one can watch it, else a
// goroutine. fasthttp keeps its own bookkeeping alive until the hijack handler
// returns, so it does not stay.
//
// Reads go through fasthttp's buffer, which may hold bytes already, all else to
// the connection itself.
func (s *Server) adopt(m *Mount, conn net.Conn, c *connected) {
	bare := conn
	if u, ok := conn.(interface{ UnsafeConn() net.Conn }); ok {
		bare = u.UnsafeConn()
	}
	if s.loops.adopt(m, c, conn, bare) {
		return
	}
	w := newStream(newSocket(s, m, c), bare, conn)
	if !w.arrive() {
		w.abort() // draining began during the handshake, or the tenant was suspended
		return
	}
	go func() {
		defer w.depart()
		w.run()
	}()
}
