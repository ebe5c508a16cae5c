package host

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/valyala/fasthttp"
)

// acceptGUID is what RFC 6455 section 1.3 appends to the client's key.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// handleHTTP answers every request on the public port.
func (s *Server) handleHTTP(ctx *fasthttp.RequestCtx) {
	if m := s.mounts[string(ctx.Path())]; m != nil {
		s.upgrade(ctx, m)
		return
	}
	s.servePage(ctx)
}

// upgrade makes a WebSocket of a request, or refuses it. The order of the
// checks is that of phoenix transports/websocket.ex.
func (s *Server) upgrade(ctx *fasthttp.RequestCtx, m *Mount) {
	if !ctx.IsGet() {
		ctx.SetStatusCode(fasthttp.StatusBadRequest)
		return
	}
	if s.draining.Load() {
		refuse(ctx, &refusal{fasthttp.StatusServiceUnavailable, "draining"})
		return
	}
	accept, problem := acceptKey(&ctx.Request.Header)
	if problem != "" {
		refuse(ctx, &refusal{fasthttp.StatusBadRequest, problem})
		return
	}
	protocol, ok := chooseSubprotocol(m.Subprotocols, &ctx.Request.Header)
	if !ok {
		refuse(ctx, &refusal{fasthttp.StatusForbidden, ""})
		return
	}
	if vsn := string(ctx.QueryArgs().Peek("vsn")); !vsn2.MatchString(vsn) {
		s.log.Info("client refused", "code", "VSN_UNSUPPORTED", "vsn", vsn, "supported", "2.0.x")
		refuse(ctx, &refusal{fasthttp.StatusForbidden, ""}) // no body, as Phoenix
		return
	}
	c, refused := s.connect(m, ctx.QueryArgs())
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
	ctx.Hijack(func(conn net.Conn) { s.adopt(m, conn, c) })
}

// vsn2 is what selects serializer 2.0.0: Phoenix's requirement "~> 2.0.0" lets
// only the patch number vary (socket.ex).
var vsn2 = regexp.MustCompile(`^2\.0\.(0|[1-9][0-9]*)$`)

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

// chooseSubprotocol returns the first configured protocol that the client
// offers too; not ok when some are configured and none fits. Without any the
// header is ignored (phoenix transport.ex, check_subprotocols).
func chooseSubprotocol(configured []string, h *fasthttp.RequestHeader) (protocol string, ok bool) {
	offers := h.PeekAll("Sec-WebSocket-Protocol")
	if len(configured) == 0 || len(offers) == 0 {
		return "", true
	}
	offered := map[string]bool{}
	for _, line := range offers {
		for _, p := range strings.Split(string(line), ",") {
			offered[strings.TrimSpace(p)] = true
		}
	}
	for _, p := range configured {
		if offered[p] {
			return p, true
		}
	}
	return "", false
}

// adopt gives a connection its socket and its goroutine. fasthttp keeps its
// own bookkeeping alive until the hijack handler returns, so it does not stay.
//
// Reads go through fasthttp's buffer, which may hold bytes already, all else to
// the connection itself.
func (s *Server) adopt(m *Mount, conn net.Conn, c *connected) {
	bare := conn
	if u, ok := conn.(interface{ UnsafeConn() net.Conn }); ok {
		bare = u.UnsafeConn()
	}
	w := newWebSocket(newSocket(s, m, c), bare, conn)
	if !s.enter(w.Socket) {
		w.abort() // draining began during the handshake
		return
	}
	go w.live(w.run)
}
