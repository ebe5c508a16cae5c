package host

import (
	"errors"
	"io/fs"
	"mime"
	"path"
	"strings"

	"github.com/valyala/fasthttp"
)

// contentPolicy lets a page load its own files and open sockets to its own
// server, nothing else.
const contentPolicy = "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'"

// servePage answers a GET outside the mounts with a file of Config.Pages.
func (s *Server) servePage(ctx *fasthttp.RequestCtx) {
	if s.cfg.Pages == nil {
		ctx.Error("not found\n", fasthttp.StatusNotFound)
		return
	}
	if !ctx.IsGet() && !ctx.IsHead() {
		ctx.Response.Header.Set("Allow", "GET, HEAD")
		ctx.Error("method not allowed\n", fasthttp.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+string(ctx.Path())), "/")
	if name == "" {
		name = "index.html"
	}
	body, err := fs.ReadFile(s.cfg.Pages, name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.log.Debug("page not read", "name", name, "err", err)
		}
		ctx.Error("not found\n", fasthttp.StatusNotFound)
		return
	}
	h := &ctx.Response.Header
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	ctx.SetContentType(contentType(name))
	ctx.SetBody(body)
}

// contentType goes by a list of our own first: what mime knows depends on the
// files of the machine, and a module script of the wrong type does not load.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}
