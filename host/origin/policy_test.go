package origin

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func mustParse(t testing.TB, values ...string) *Policy {
	t.Helper()
	p, err := Parse(values)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// at is a request to a server at host.com over HTTPS.
func at(origin string) Request {
	return Request{Origin: origin, HasOrigin: true, Scheme: "https", Host: "host.com"}
}

// nonsense is refused by everything but any: case 43 and what else is no origin.
var nonsense = []string{
	"", "null", "file://", "file:///index.html", "http://", "https://", "://host.com", "//host.com", "host.com",
	"https:host.com", "https:/host.com", "https:///host.com", "1https://host.com", "ht tps://host.com", "-http://host.com",
	"https://host.com/", "https://host.com/path", "https://host.com?", "https://host.com#", `https://host.com\`,
	"https://user@host.com", "https://user:pw@host.com", "https://@host.com", "https://evil.com@host.com", "https://host.com@evil.com",
	"https://host.com:", "https://host.com:0", "https://host.com:00443", "https://host.com:+443", "https://host.com:-1",
	"https://host.com:65536", "https://host.com:443x", "https://host.com:443:443", "https://host.com:443.", "https://:443",
	"https://host.com, https://host.com", "https://host.com https://host.com", "https://host.com ", " https://host.com", "https:// host.com",
	"https://host.com\x00", "https://host.com\n", "https://host%2ecom", "https://*.host.com", "https://*",
	"https://host.com..", "https://.host.com", "https://a..host.com", "https://.", "https://..",
	"https://[host.com]", "https://[::1", "https://::1", "https://[::1]x", "https://[::1]]", "https://[[::1]]", "https://[fe80::1%25eth0]", "https://[127.0.0.1]",
	"https://x[::1]", "https://[]", "https://[::1]@host.com", "https://host.com[::1]",
	"https://1.2.3", "https://1.2.3.256", "https://01.2.3.4", "https://host.1", "https://1",
	"https://h\u00f6st.com", "https://ho\u017ft.com", "https://\xffhost.com",
}

// TestOriginCases: the cases of the Phoenix reference, section 4.4, and 16.
func TestOriginCases(t *testing.T) {
	for _, tt := range []struct {
		name    string
		values  []string
		yes, no []string
	}{
		{
			"16 unallowed origins",
			[]string{"//example.com"},
			[]string{"https://example.com"},
			[]string{"http://notallowed.com"},
		},
		{"37 false", []string{"any"}, append([]string{"https://host.com", "http://another.com:1", "foo://x"}, nonsense...), nil},
		{
			"38 true",
			[]string{"same-host"},
			[]string{"https://host.com", "http://host.com", "https://host.com:8443", "HTTPS://HOST.COM", "https://host.com.", "foo://host.com"},
			append([]string{"https://another.com", "https://www.host.com", "https://com", "https://xhost.com", "https://host.com.evil.com"}, nonsense...),
		},
		{
			"39 a list",
			[]string{"https://example.com", "http://another.com:8080"},
			[]string{"https://example.com", "https://example.com:443", "http://another.com:8080", "https://Example.COM.", "https://example.com.:443"},
			[]string{"https://another.com:8080", "http://another.com", "http://another.com:80", "https://host.com", "https://example.com:8443", "foo://example.com"},
		},
		{
			"40 a wildcard",
			[]string{"https://*.ex.com"},
			[]string{"https://org1.ex.com", "https://ex.com", "https://EX.com", "https://org1.ex.com.", "https://org1.ex.com:443"},
			[]string{"https://org1.prefix-ex.com", "https://prefix-ex.com", "http://org1.ex.com", "https://ex.com.org", "https://org1.ex.com:8443", "https://com"},
		},
		{"41 a nested wildcard", []string{"https://*.foo.ex.com"}, []string{"https://org1.foo.ex.com", "https://a.b.c.foo.ex.com", "https://foo.ex.com"}, []string{"https://org1.bar.ex.com", "https://ex.com", "https://xfoo.ex.com"}},
		{"42 no wildcard", []string{"https://ex.com"}, []string{"https://ex.com"}, []string{"https://org1.ex.com", "https://xex.com"}},
		{"43 invalid, with a list", []string{"//host.com", "//*.com", "//127.0.0.1", "//[::1]", "https://*.host.com"}, []string{"https://host.com"}, nonsense},
		{"43 invalid, :conn", []string{"same-origin"}, []string{"https://host.com"}, nonsense},
		{
			"45 any scheme and port",
			[]string{"//example.com"},
			[]string{"http://example.com", "https://example.com", "https://example.com:8443", "ws://example.com", "ionic+app-1.0://example.com"},
			[]string{"http://sub.example.com", "http://another.com"},
		},
		{
			"45 a scheme",
			[]string{"http://scheme.com"},
			[]string{"http://scheme.com", "http://scheme.com:80"},
			[]string{"https://scheme.com", "https://scheme.com:80", "http://scheme.com:8080", "ws://scheme.com"},
		},
		{
			"45 a port",
			[]string{"//port.com:81"},
			[]string{"http://port.com:81", "https://port.com:81", "foo://port.com:81"},
			[]string{"http://port.com", "http://port.com:82", "https://port.com", "foo://port.com"},
		},
		{"45 the port of a scheme", []string{"//port.com:443"}, []string{"https://port.com", "http://port.com:443"}, []string{"http://port.com", "foo://port.com"}},
		{"a wildcard of any scheme", []string{"//*.ex.com"}, []string{"http://a.ex.com:81", "https://ex.com"}, []string{"https://a.ex.org", "https://aex.com"}},
		{"a wildcard with a port", []string{"//*.ex.com:81"}, []string{"http://a.ex.com:81"}, []string{"http://a.ex.com"}},
		{"an app", []string{"capacitor://localhost"}, []string{"capacitor://localhost", "Capacitor://LOCALHOST"}, []string{"http://localhost", "capacitor://localhost:80", "ionic://localhost"}},
		{"IPv4", []string{"http://127.0.0.1:4000"}, []string{"http://127.0.0.1:4000", "http://127.0.0.1.:4000"}, []string{"http://127.0.0.1", "http://localhost:4000", "http://[::ffff:127.0.0.1]:4000", "http://7.0.0.1:4000"}},
		{"IPv6", []string{"http://[2001:DB8::1]", "//[::1]"}, []string{"http://[2001:db8:0:0::1]", "http://[2001:db8::1]:80", "https://[0:0::1]:4000"}, []string{"http://[2001:db8::2]", "https://[2001:db8::1]", "http://2001:db8::1"}},
		{"IPv4 in IPv6 is another origin", []string{"//[::ffff:127.0.0.1]"}, []string{"http://[::ffff:7f00:1]"}, []string{"http://127.0.0.1"}},
		{"a name in xn-- form", []string{"https://xn--bcher-kva.example"}, []string{"https://XN--BCHER-KVA.example"}, []string{"https://b\u00fccher.example"}},
		{"an underscore and a leading hyphen", []string{"//my_app", "//-x.com"}, []string{"http://my_app:3000", "http://-x.com"}, []string{"http://my-app"}},
		{"the Kelvin sign is no k", []string{"//kelvin.com", "//*.k"}, []string{"http://Kelvin.com"}, []string{"http://\u212aelvin.com", "http://a.\u212a"}},
		{"same-host in a list", []string{"https://example.com", "same-host"}, []string{"https://example.com", "http://host.com:1"}, append([]string{"http://example.com"}, nonsense...)},
		{"same-origin in a list", []string{"same-origin", "//a.com"}, []string{"https://host.com", "http://a.com"}, []string{"http://host.com", "https://host.com:1"}},
		{"same-host goes further than same-origin", []string{"same-origin", "same-host"}, []string{"http://host.com:1"}, []string{"https://a.com"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := mustParse(t, tt.values...)
			for _, o := range tt.yes {
				if !p.Allows(at(o)) {
					t.Errorf("%q should allow %q", tt.values, o)
				}
			}
			for _, o := range tt.no {
				if p.Allows(at(o)) {
					t.Errorf("%q should not allow %q", tt.values, o)
				}
			}
			if !p.Allows(Request{Scheme: "https", Host: "host.com"}) {
				t.Errorf("%q refuses a client without an Origin", tt.values)
			}
		})
	}
}

// TestSame is case 44, and same-host beside it: what of the origin has to be as
// in the request.
func TestSame(t *testing.T) {
	for _, tt := range []struct {
		scheme, host, origin string
		sameOrigin, sameHost bool
	}{
		// The eight ways to differ in scheme, host and port.
		{"http", "www.example.com:80", "http://www.example.com", true, true},
		{"http", "www.example.com:80", "https://www.example.com:80", false, true},
		{"http", "www.example.com:80", "http://www.another.com", false, false},
		{"http", "www.example.com:80", "http://www.example.com:8080", false, true},
		{"http", "www.example.com:80", "https://www.another.com:80", false, false},
		{"http", "www.example.com:80", "https://www.example.com", false, true},
		{"http", "www.example.com:80", "http://www.another.com:8080", false, false},
		{"http", "www.example.com:80", "https://www.another.com", false, false},

		{"https", "example.com", "https://example.com", true, true},
		{"https", "example.com", "https://example.com:443", true, true},
		{"https", "example.com:443", "https://example.com", true, true},
		{"https", "example.com:8443", "https://example.com:8443", true, true},
		{"https", "example.com:8443", "https://example.com", false, true},
		{"https", "example.com", "https://example.com:8443", false, true},
		{"http", "example.com", "https://example.com", false, true},
		{"HTTPS", "Example.COM.", "https://example.com", true, true},
		{"http", "[::1]:4000", "http://[0:0::1]:4000", true, true},
		{"http", "[::1]", "http://[::1]:4000", false, true},
		{"http", "127.0.0.1:4000", "http://127.0.0.1:4000", true, true},
		{"http", "localhost:4000", "http://127.0.0.1:4000", false, false},
		{"http", "localhost:4000", "http://localhost:4000", true, true},
		{"", "example.com", "http://example.com", false, true},
		{"http", "", "http://example.com", false, false},
		{"http", "", "http://", false, false},
		{"http", "example.com/", "http://example.com", false, false},
		{"http", "user@example.com", "http://example.com", false, false},
		{"http", "example.com:x", "http://example.com", false, false},
		{"http", "*", "http://*", false, false},
	} {
		r := Request{Origin: tt.origin, HasOrigin: true, Scheme: tt.scheme, Host: tt.host}
		if got := mustParse(t, "same-origin").Allows(r); got != tt.sameOrigin {
			t.Errorf("same-origin, %+v: %v", r, got)
		}
		if got := mustParse(t, "same-host").Allows(r); got != tt.sameHost {
			t.Errorf("same-host, %+v: %v", r, got)
		}
	}
}

// TestPoliciesAreApart is case 47 as far as it is this package's: a policy is a
// value of its mount, so two of them answer the same request each in its way.
func TestPoliciesAreApart(t *testing.T) {
	a, b := mustParse(t, "https://a.com"), mustParse(t, "https://b.com")
	for range 2 {
		if !a.Allows(at("https://a.com")) || b.Allows(at("https://a.com")) || a.Allows(at("https://b.com")) || !b.Allows(at("https://b.com")) {
			t.Error("one policy answers for the other")
		}
	}
}

// TestMissingOrigin: only a header that is not there is no origin, and the zero
// policy is closed.
func TestMissingOrigin(t *testing.T) {
	for _, p := range []*Policy{mustParse(t, "https://a.com"), mustParse(t, "same-host"), mustParse(t, "same-origin"), {}} {
		if !p.Allows(Request{Host: "host.com"}) {
			t.Errorf("%+v refuses a client without an Origin", p)
		}
		if p.Allows(Request{HasOrigin: true, Host: "host.com"}) {
			t.Errorf("%+v allows an empty Origin", p)
		}
		if p.Allows(Request{Origin: "https://evil.com", Host: "host.com"}) {
			t.Errorf("%+v allows an Origin of which it was not told that it is there", p)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const forms = `; write "https://example.com", "//example.com:8443" or "https://*.example.com"`
	for _, tt := range []struct{ value, want string }{
		{"", `invalid origin "": it is none of the words any, same-host and same-origin, and has no // before a host` + forms},
		{"example.com", `invalid origin "example.com": it is none of the words any, same-host and same-origin, and has no // before a host` + forms},
		{"*.example.com", `and has no // before a host` + forms},
		{"same_host", `and has no // before a host` + forms},
		{"ANY", `and has no // before a host` + forms},
		{"*", `write "any"`},
		{"https://*", `write "any"`},
		{"true", `write "same-host"`},
		{"false", `write "any"`},
		{":conn", `write "same-origin"`},
		{"null", `only "any" allows it`},
		{"file://", `browsers send "null" for files, which only "any" allows`},
		{"wss://example.com:8443", `an origin is that of the page, not of the socket; write "https://example.com:8443"`},
		{"ws://example.com", `write "http://example.com"`},
		{"https:example.com", `and has no // before a host`},
		{"https//example.com", `"https" is not a scheme` + forms},
		{"://example.com", `"" is not a scheme`},
		{"ht!tp://example.com", `"ht!tp" is not a scheme`},
		{" https://example.com", `" https" is not a scheme`},
		{"https://", `it has no host` + forms},
		{"//", `it has no host`},
		{"https://*.", `it has no host`},
		{"https://:443", `it has no host`},
		{"https://example.com/", `invalid origin "https://example.com/": it has a path, if only a /` + forms},
		{"https://example.com/chat", `it has a path`},
		{"https://example.com?x", `it has a path`},
		{"https:///example.com", `it has a path`},
		{"https://user@example.com", `it has a user name` + forms},
		{"https://example.com:", `port "" is not a number from 1 to 65535` + forms},
		{"https://example.com:0", `port "0" is not a number from 1 to 65535`},
		{"https://example.com:65536", `port "65536" is not`},
		{"https://example.com:*", `port "*" is not`},
		{"https://a.*.com", `"a.*.com" is not the name of a host` + forms},
		{"https://*.*.com", `"*.com" is not the name of a host`},
		{"https://*example.com", `"*example.com" is not the name of a host`},
		{"https://exa mple.com", `"exa mple.com" is not the name of a host`},
		{"https://a..com", `"a..com" is not the name of a host`},
		{"https://b\u00fccher.example", "\"b\u00fccher.example\" is not in the form that browsers send, such as xn--bcher-kva.example"},
		{"https://1.2.3", `"1.2.3" is not an IPv4 address`},
		{"//*.1", `"1" is not an IPv4 address`},
		{"//*.1.2.3.4", `nothing is below an IP address; leave out "*."`},
		{"//*.[::1]", `nothing is below an IP address`},
		{"//[::1", `"[::1" is not an IPv6 address`},
		{"//[fe80::1%eth0]", `is not an IPv6 address`},
		{"//[1.2.3.4]", `"[1.2.3.4]" is not an IPv6 address`},
	} {
		p, err := Parse([]string{"https://good.com", tt.value})
		if p != nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", tt.value)) {
			t.Errorf("%q: %v, want %q in it", tt.value, err, tt.want)
		}
	}
	for want, values := range map[string][]string{
		`invalid origin: none is given; write "https://example.com", "same-host" or "any"`:       {},
		`invalid origin: "any" allows every origin and stands alone; leave out it or the others`: {"https://example.com", "any"},
	} {
		if _, err := Parse(values); !errors.Is(err, ErrInvalid) || err.Error() != want {
			t.Errorf("%q: %v, want %s", values, err, want)
		}
	}
	for _, beside := range []string{"any", "same-host", "same-origin"} {
		if _, err := Parse([]string{"any", beside}); !errors.Is(err, ErrInvalid) {
			t.Errorf("any beside %s: %v", beside, err)
		}
	}
}

func Example() {
	p, err := Parse([]string{"https://*.example.com", "same-host"})
	if err != nil {
		panic(err)
	}
	for _, o := range []string{"https://shop.example.com", "http://shop.example.com", "http://localhost:3000"} {
		fmt.Println(o, p.Allows(Request{Origin: o, HasOrigin: true, Scheme: "http", Host: "localhost:4000"}))
	}
	// Output:
	// https://shop.example.com true
	// http://shop.example.com false
	// http://localhost:3000 true
}
