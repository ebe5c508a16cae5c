package host

import (
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// endpoint is one path that clients connect to: a mount's path and the name of
// the transport. Segments of it that begin with a colon stand for any text
// (phoenix socket.ex, "path variables").
type endpoint struct {
	mount    *Mount
	longPoll bool
	segments []string
	vars     bool
}

// pathVar is the text that a variable of a path stands for in a request.
type pathVar struct{ name, value string }

const (
	pathWebSocket = "/websocket"
	pathLongPoll  = "/longpoll"
)

// endpoints are all endpoints of a server, each kind in the order of its
// declaration.
type endpoints struct {
	exact  map[string][]*endpoint // without variables, by path
	others []*endpoint
}

func newEndpoints(mounts []Mount) *endpoints {
	all := &endpoints{exact: map[string][]*endpoint{}}
	for i := range mounts {
		m := &mounts[i]
		all.add(&endpoint{mount: m}, m.Path+pathWebSocket)
		all.add(&endpoint{mount: m, longPoll: true}, m.Path+pathLongPoll)
	}
	return all
}

func (all *endpoints) add(e *endpoint, path string) {
	e.segments = strings.Split(path, "/")
	for _, s := range e.segments {
		e.vars = e.vars || strings.HasPrefix(s, ":")
	}
	if e.vars {
		all.others = append(all.others, e)
		return
	}
	all.exact[path] = append(all.exact[path], e)
}

// find returns the endpoint that a request is for and the values of its
// variables; nil if there is none. The one whose host fits best wins, of those one
// without variables, of several with variables the one that was declared first.
func (all *endpoints) find(u *fasthttp.URI) (*endpoint, []pathVar) {
	name := hostName(string(u.Host()))
	found, rank := fitting(all.exact[string(u.Path())], name)
	if len(all.others) == 0 {
		return found, nil
	}
	segments, ok := pathSegments(u)
	if !ok {
		return found, nil
	}
	var vars []pathVar
	for _, e := range all.others {
		r := e.mount.rankHost(name)
		if r <= rank {
			continue
		}
		if values, ok := e.match(segments); ok {
			found, vars, rank = e, values, r
		}
	}
	return found, vars
}

// fitting returns the endpoint whose host fits best, and how well.
func fitting(candidates []*endpoint, name string) (found *endpoint, rank int) {
	rank = rankNone
	for _, e := range candidates {
		if r := e.mount.rankHost(name); r > rank {
			found, rank = e, r
		}
	}
	return found, rank
}

// pathSegments undoes the escapes of a path segment by segment, so that a value
// may hold a slash; not ok when one is broken.
func pathSegments(u *fasthttp.URI) (segments []string, ok bool) {
	segments = strings.Split(string(u.PathOriginal()), "/")
	for i := range segments {
		var err error
		if segments[i], err = url.PathUnescape(segments[i]); err != nil {
			return nil, false
		}
	}
	return segments, true
}

func (e *endpoint) match(segments []string) (vars []pathVar, ok bool) {
	if len(segments) != len(e.segments) {
		return nil, false
	}
	for i, want := range e.segments {
		name, isVar := strings.CutPrefix(want, ":")
		switch {
		case isVar && segments[i] != "":
			vars = append(vars, pathVar{name, segments[i]})
		case isVar || segments[i] != want:
			return nil, false
		}
	}
	return vars, true
}
