package host

import (
	"fmt"
	"net/netip"
	"strings"
)

// hostName returns what the Host header of a request names, in lower case,
// without port and trailing dot. An IPv6 address has its shortest form and no
// brackets.
func hostName(header string) string {
	name := header
	if end := strings.LastIndexByte(name, ']'); end >= 0 {
		name = strings.TrimPrefix(name[:end], "[")
	} else {
		name, _, _ = strings.Cut(name, ":")
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.String()
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// checkHosts puts the hosts of mounts into the form that requests are compared
// with, and refuses two mounts that the same request would be for.
func checkHosts(mounts []Mount) error {
	seen := map[[2]string]bool{}
	for i := range mounts {
		m := &mounts[i]
		names := make([]string, 0, len(m.Hosts))
		for _, text := range m.Hosts {
			name, problem := parseHostPattern(text)
			if problem != "" {
				return fmt.Errorf("%w: mount %s: hosts: %q %s; write \"acme.example.com\" or \"*.acme.example.com\"", errConfig, m.Path, text, problem)
			}
			if seen[[2]string{m.Path, name}] {
				return fmt.Errorf("%w: mount path %q is given twice for host %q", errConfig, m.Path, name)
			}
			seen[[2]string{m.Path, name}] = true
			names = append(names, name)
		}
		if len(names) == 0 && seen[[2]string{m.Path, ""}] {
			return fmt.Errorf("%w: mount path %q is given twice; mounts on one path need different hosts", errConfig, m.Path)
		}
		seen[[2]string{m.Path, ""}] = seen[[2]string{m.Path, ""}] || len(names) == 0
		m.Hosts = names
	}
	return nil
}

const maxHostName = 253 // RFC 1035 section 2.3.4, as text

// parseHostPattern returns the form that requests are compared with, or what is
// wrong with text.
func parseHostPattern(text string) (name, problem string) {
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return addr.String(), ""
	}
	name, below := strings.CutPrefix(strings.ToLower(strings.TrimSuffix(text, ".")), "*.")
	switch {
	case strings.Contains(text, "*") && (!below || strings.Contains(name, "*")):
		return "", "has a * that is not its whole first label"
	case strings.Contains(text, ":"):
		return "", "has a port or a scheme, which are not looked at"
	case len(name) > maxHostName:
		return "", fmt.Sprintf("is over %d bytes", maxHostName)
	}
	for _, label := range strings.Split(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", "is no name of a host in the form that browsers send"
		}
	}
	if below {
		return "*." + name, ""
	}
	return name, ""
}

// Ranks of how a mount fits the host of a request, ascending. Those of names with
// a * are by their length.
const (
	rankNone  = -1
	rankAny   = 0 // it has no hosts
	rankWhole = 1 << 16
)

// rankHost tells how well the mount fits a request for name, rankNone if it does
// not.
func (m *Mount) rankHost(name string) int {
	if len(m.Hosts) == 0 {
		return rankAny
	}
	best := rankNone
	for _, h := range m.Hosts {
		suffix, below := strings.CutPrefix(h, "*")
		switch {
		case h == name:
			return rankWhole
		case below && len(name) > len(suffix) && strings.HasSuffix(name, suffix):
			best = max(best, len(suffix))
		}
	}
	return best
}
