package origin

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// origin is a parsed Origin header.
type origin struct {
	scheme string // in lower case
	host   host
	port   int // 0 where the scheme has none
}

// host is a name or an IP address, in a form that == compares.
type host struct {
	name string // in lower case, without a trailing dot
	addr netip.Addr
}

// below tells whether h is a name under that of parent, which has one.
func (h host) below(parent host) bool {
	rest, ok := strings.CutSuffix(h.name, parent.name)
	return ok && strings.HasSuffix(rest, ".")
}

// parseOrigin reads scheme://host or scheme://host:port (RFC 6454 section 6.2).
func parseOrigin(text string) (o origin, ok bool) {
	scheme, authority, ok := strings.Cut(text, "://")
	if !ok || !isScheme(scheme) {
		return origin{}, false
	}
	o.scheme = strings.ToLower(scheme)
	var problem string
	if o.host, o.port, problem = parseAuthority(authority); problem != "" {
		return origin{}, false
	}
	if o.port == 0 {
		o.port = defaultPort(o.scheme)
	}
	return o, true
}

// parseAuthority reads host or host:port; the port is 0 if there is none. So are
// the Host header and what follows // in a configuration.
func parseAuthority(text string) (h host, port int, problem string) {
	switch {
	case strings.ContainsRune(text, '@'):
		return h, 0, "it has a user name"
	case strings.ContainsAny(text, `/\?#`):
		return h, 0, "it has a path, if only a /"
	}
	name, rest, hasPort := splitPort(text)
	if hasPort {
		n, err := strconv.ParseUint(rest, 10, 16)
		if err != nil || rest[0] == '0' {
			return h, 0, fmt.Sprintf("port %q is not a number from 1 to 65535", rest)
		}
		port = int(n)
	}
	h, problem = parseHost(name)
	return h, port, problem
}

// splitPort splits at the colon that is not part of an IPv6 address.
func splitPort(text string) (name, port string, ok bool) {
	end := strings.LastIndexByte(text, ']') + 1
	if end == 0 && strings.HasPrefix(text, "[") {
		return text, "", false
	}
	name, port, ok = strings.Cut(text[end:], ":")
	return text[:end] + name, port, ok
}

// parseHost reads a name, an IPv4 address, or an IPv6 address in brackets.
func parseHost(text string) (h host, problem string) {
	if strings.HasPrefix(text, "[") {
		inner, ok := strings.CutSuffix(text[1:], "]")
		addr, err := netip.ParseAddr(inner)
		if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
			return h, fmt.Sprintf("%q is not an IPv6 address", text)
		}
		return host{addr: addr}, ""
	}
	// Checked before it is put in lower case: there are letters outside ASCII,
	// such as the Kelvin sign, whose lower case is in it.
	name := strings.TrimSuffix(text, ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case name == "":
		return h, "it has no host"
	case strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }):
		return h, fmt.Sprintf("%q is not in the form that browsers send, such as xn--bcher-kva.example", text)
	case !isName(name):
		return h, fmt.Sprintf("%q is not the name of a host", text)
	case strings.Trim(last, "0123456789") != "":
		return host{name: strings.ToLower(name)}, ""
	}
	// What ends in a number is an IPv4 address or nothing (WHATWG URL, host
	// parsing), so that no name is taken for part of one.
	addr, err := netip.ParseAddr(name)
	if err != nil {
		return h, fmt.Sprintf("%q is not an IPv4 address", text)
	}
	return host{addr: addr}, ""
}

// isName tells whether text is labels of letters, digits, - and _ between dots.
func isName(text string) bool {
	label := 0
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '.' && label > 0:
			label = 0
		case isLetter(c), isDigit(c), c == '-', c == '_':
			label++
		default:
			return false
		}
	}
	return label > 0
}

// isScheme tells whether text is a scheme (RFC 3986 section 3.1).
func isScheme(text string) bool {
	for i := range len(text) {
		c := text[i]
		if !isLetter(c) && (i == 0 || !isDigit(c) && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return text != ""
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// defaultPort returns the port that a scheme implies, 0 for one without.
func defaultPort(scheme string) int {
	switch scheme {
	case "http", "ws":
		return 80
	case "https", "wss":
		return 443
	}
	return 0
}
