package origin

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// slow decides about one entry of a list in another way than the package does:
// by a regular expression made of the entry. Its answer on IPv6 is only whether
// the addresses are the same.
func slow(entry string) func(origin string) bool {
	scheme, rest, _ := strings.Cut(strings.ToLower(entry), "//")
	if strings.Contains(rest, "[") {
		return func(origin string) bool { return sameAddress(rest, origin) }
	}
	name, port, _ := strings.Cut(rest, ":")
	name, star := strings.CutPrefix(strings.TrimSuffix(name, "."), "*.")
	expr := `^([a-z][a-z0-9+.-]*):\/\/`
	if star {
		expr += `([a-z0-9_-]+\.)*`
	}
	re := regexp.MustCompile(expr + strings.ReplaceAll(name, ".", `\.`) + `\.?(:([1-9][0-9]*))?$`)
	return func(origin string) bool {
		m := re.FindStringSubmatch(lowerASCII(origin))
		if m == nil {
			return false
		}
		has := implied(m[1], m[len(m)-1])
		if len(has) > 5 || len(has) == 5 && has > "65535" {
			return false
		}
		if scheme == "" {
			return port == "" || port == has
		}
		return m[1]+":" == scheme && has == implied(m[1], port)
	}
}

// lowerASCII leaves other letters as they are, and so without a match.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func implied(scheme, port string) string {
	if port != "" {
		return port
	}
	return map[string]string{"http": "80", "ws": "80", "https": "443", "wss": "443"}[scheme]
}

// sameAddress compares two IPv6 addresses by what net/url makes of them.
func sameAddress(rest, origin string) bool {
	a, err := url.Parse("http://" + rest)
	if err != nil {
		return false
	}
	b, err := url.Parse(origin)
	if err != nil {
		return false
	}
	want, err := netip.ParseAddr(a.Hostname())
	if err != nil {
		return false
	}
	got, err := netip.ParseAddr(b.Hostname())
	return err == nil && want == got
}

// TestAllowsAsTheSlowWay compares every entry made of some pieces with every
// origin made of some others.
func TestAllowsAsTheSlowWay(t *testing.T) {
	var entries, origins []string
	for _, scheme := range []string{"", "http:", "https:", "HTTPS:", "foo:"} {
		for _, host := range []string{"ex.com", "*.ex.com", "a.ex.com", "*.a.ex.com", "EX.com.", "*.com", "*.m", "1.2.3.4"} {
			for _, port := range []string{"", ":80", ":443", ":81", ":65535"} {
				entries = append(entries, scheme+"//"+host+port)
			}
		}
	}
	for _, scheme := range []string{"http", "https", "Https", "ws", "foo", "", "1"} {
		for _, host := range []string{
			"ex.com", "a.ex.com", "b.a.ex.com", "A.EX.COM.", "aex.com", "a-ex.com", "ex.com.", "ex.com..", ".ex.com", "a..ex.com", "com", "m", "ex.com.evil",
			"evil/ex.com", "evil@ex.com", "ex.com@evil", "*.ex.com", "1.2.3.4", "1.2.3.4.", "5.1.2.3.4", "2.3.4", "", "[::1]",
		} {
			for _, port := range []string{"", ":80", ":443", ":81", ":081", ":65535", ":65536", ":99999", ":", "/"} {
				origins = append(origins, scheme+"://"+host+port)
			}
		}
	}
	allowed := 0
	for _, e := range entries {
		p, allows := mustParse(t, e), slow(e)
		for _, o := range origins {
			got := p.Allows(at(o))
			if want := allows(o); got != want {
				t.Errorf("%q, %q: %v, the slow way says %v", e, o, got, want)
			}
			if got {
				allowed++
			}
		}
	}
	if allowed < len(entries) {
		t.Errorf("only %d of %d pairs are allowed", allowed, len(entries)*len(origins))
	}
}

// FuzzAllows: a list allows an origin exactly when the slow way does, so never a
// host that is neither listed nor below one that is; and nothing panics.
func FuzzAllows(f *testing.F) {
	entries := []string{
		"https://example.com", "https://example.com:8443", "//example.com", "//port.com:81", "https://*.ex.com", "//*.ex.com", "//*.ex.com:443",
		"capacitor://localhost", "//[::1]:4000", "http://127.0.0.1:4000", "//*.com.", "any", "same-host", "same-origin", "foo://[::ffff:1.2.3.4]",
	}
	for _, e := range entries {
		for _, o := range nonsense {
			f.Add(e, o)
		}
		for _, o := range []string{
			"https://example.com", "http://example.com:8443", "http://port.com:81", "https://a.b.ex.com.", "https://aex.com", "http://[0::1]:4000",
			"capacitor://localhost", "http://127.0.0.1:4000", "https://ex.com:443", "http://EX.com:65535", strings.Replace(e, "*", "a", 1), "x:" + e,
		} {
			f.Add(e, o)
		}
	}
	f.Fuzz(func(t *testing.T, entry, origin string) {
		p, err := Parse([]string{entry})
		if err != nil {
			return
		}
		got := p.Allows(Request{Origin: origin, HasOrigin: true, Scheme: "https", Host: "host.com"})
		switch entry {
		case wordAny:
			if !got {
				t.Errorf("any refuses %q", origin)
			}
		case wordSameHost:
			if want := slow("//host.com")(origin); got != want {
				t.Errorf("same-host, %q: %v", origin, got)
			}
		case wordSameOrigin:
			if want := slow("https://host.com")(origin); got != want {
				t.Errorf("same-origin, %q: %v", origin, got)
			}
		default:
			want := slow(entry)(origin)
			if strings.Contains(entry, "[") && !got {
				want = false
			}
			if got != want {
				t.Errorf("%q, %q: %v, the slow way says %v", entry, origin, got, want)
			}
		}
	})
}

// FuzzHost: whatever the Host header is, same-host and same-origin allow nothing
// that a list of that host would not allow.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"", "example.com", "example.com:80", "[::1]:4000", "a@b", "*", "*.com", "Example.COM.", "1.2.3.4:81"} {
		for _, o := range append([]string{"http://" + host, "https://example.com", "http://[::1]:4000"}, nonsense...) {
			f.Add(host, "http", o)
		}
	}
	f.Fuzz(func(t *testing.T, hostHeader, scheme, origin string) {
		r := Request{Origin: origin, HasOrigin: true, Scheme: scheme, Host: hostHeader}
		name, _, _ := splitPort(hostHeader)
		sameHost := mustParse(t, wordSameHost).Allows(r)
		if sameHost && !listed("//"+name, origin) {
			t.Errorf("%+v: same-host, but not if it is listed", r)
		}
		if !mustParse(t, wordSameOrigin).Allows(r) {
			return
		}
		if !sameHost || !listed(strings.ToLower(scheme)+"://"+hostHeader, origin) {
			t.Errorf("%+v: same-origin, but not if it is listed, or not the same host", r)
		}
	})
}

// listed tells whether a list of one entry allows an origin. The schemes that
// may not be listed count as allowed.
func listed(entry, origin string) bool {
	if strings.HasPrefix(entry, "ws:") || strings.HasPrefix(entry, "wss:") || strings.HasPrefix(entry, "file:") {
		return true
	}
	p, err := Parse([]string{entry})
	return err == nil && p.Allows(Request{Origin: origin, HasOrigin: true})
}
