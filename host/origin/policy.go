package origin

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is wrapped by every refusal of a configuration.
var ErrInvalid = errors.New("invalid origin")

const (
	wordAny        = "any"
	wordSameHost   = "same-host"
	wordSameOrigin = "same-origin"

	forms = `write "https://example.com", "//example.com:8443" or "https://*.example.com"`
)

// Policy says which origins are allowed. Make one with [Parse]; the zero value
// allows requests without an Origin only.
type Policy struct {
	any        bool
	sameHost   bool
	sameOrigin bool
	entries    []entry
}

// entry is one origin of the list, or several by its wildcards.
type entry struct {
	scheme     string // "" is any
	host       host
	port       int  // 0 is any where scheme is, else none
	subdomains bool // beside the host itself
}

// Request is what a policy looks at of a request.
type Request struct {
	// Origin is the header's value. Of several headers it is all values, joined
	// by ", ": no policy but any allows that.
	Origin string
	// HasOrigin tells an Origin that is empty, which is refused, from none at
	// all, which is allowed.
	HasOrigin bool
	// Scheme is "http" or "https": what the client used, also where a proxy in
	// between ends TLS. Only same-origin asks for it.
	Scheme string
	// Host is the Host header.
	Host string
}

// Parse makes a policy of a configuration's values (package comment). Errors wrap
// [ErrInvalid], name the value and show a right one.
func Parse(values []string) (*Policy, error) {
	if len(values) == 0 {
		return nil, fmt.Errorf("%w: none is given; write %q, %q or %q", ErrInvalid, "https://example.com", wordSameHost, wordAny)
	}
	p := &Policy{}
	for _, v := range values {
		switch v {
		case wordAny:
			if len(values) > 1 {
				return nil, fmt.Errorf("%w: %q allows every origin and stands alone; leave out it or the others", ErrInvalid, v)
			}
			p.any = true
		case wordSameHost:
			p.sameHost = true
		case wordSameOrigin:
			p.sameOrigin = true
		default:
			e, problem := parseEntry(v)
			if problem != "" {
				return nil, fmt.Errorf("%w %q: %s", ErrInvalid, v, problem)
			}
			p.entries = append(p.entries, e)
		}
	}
	return p, nil
}

// Allows reports whether a client with this request may connect.
func (p *Policy) Allows(r Request) bool {
	if p.any || !r.HasOrigin && r.Origin == "" {
		return true
	}
	o, ok := parseOrigin(r.Origin)
	if !ok {
		return false
	}
	for i := range p.entries {
		if p.entries[i].fits(o) {
			return true
		}
	}
	return (p.sameHost || p.sameOrigin) && p.same(o, r)
}

// same compares an origin with the request's own.
func (p *Policy) same(o origin, r Request) bool {
	h, port, problem := parseAuthority(r.Host)
	if problem != "" || h != o.host {
		return false
	}
	if p.sameHost {
		return true
	}
	scheme := strings.ToLower(r.Scheme)
	if port == 0 {
		port = defaultPort(scheme)
	}
	return o.scheme == scheme && o.port == port
}

func (e *entry) fits(o origin) bool {
	switch {
	case e.scheme != "" && (o.scheme != e.scheme || o.port != e.port):
		return false
	case e.scheme == "" && e.port != 0 && o.port != e.port:
		return false
	}
	return o.host == e.host || e.subdomains && o.host.below(e.host)
}

// parseEntry reads one value of a list. The problem includes the remedy.
func parseEntry(text string) (e entry, problem string) {
	if hint := otherWord(text); hint != "" {
		return e, hint
	}
	scheme, rest, ok := strings.Cut(text, "//")
	scheme, colon := strings.CutSuffix(scheme, ":")
	switch {
	case !ok:
		return e, fmt.Sprintf("it is none of the words %s, %s and %s, and has no // before a host; %s", wordAny, wordSameHost, wordSameOrigin, forms)
	case colon && !isScheme(scheme), !colon && scheme != "":
		return e, fmt.Sprintf("%q is not a scheme; %s", scheme, forms)
	}
	e.scheme = strings.ToLower(scheme)
	switch e.scheme {
	case "ws", "wss":
		return e, fmt.Sprintf("an origin is that of the page, not of the socket; write %q", "http"+e.scheme[2:]+"://"+rest)
	case "file":
		return e, fmt.Sprintf("browsers send \"null\" for files, which only %q allows", wordAny)
	}
	name, star := strings.CutPrefix(rest, "*.")
	if e.host, e.port, problem = parseAuthority(name); problem != "" {
		return e, problem + "; " + forms
	}
	if star && e.host.addr.IsValid() {
		return e, "nothing is below an IP address; leave out \"*.\""
	}
	e.subdomains = star
	if e.port == 0 {
		e.port = defaultPort(e.scheme)
	}
	return e, ""
}

// otherWord tells what to write in place of words that mean something elsewhere,
// in Phoenix above all.
func otherWord(text string) (hint string) {
	right := ""
	switch text {
	case "*", "//*", "http://*", "https://*", "false":
		right = wordAny
	case "true", "self":
		right = wordSameHost
	case ":conn", "conn":
		right = wordSameOrigin
	case "null":
		return fmt.Sprintf("it is what a page without an origin sends, whoever wrote it; only %q allows it", wordAny)
	default:
		return ""
	}
	return fmt.Sprintf("write %q", right)
}
