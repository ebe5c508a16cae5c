package host

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestHostName(t *testing.T) {
	for header, want := range map[string]string{
		"":                     "",
		"example.com":          "example.com",
		"Acme.EXAMPLE.com:443": "acme.example.com",
		"example.com.":         "example.com",
		"example.com.:80":      "example.com",
		"127.0.0.1:4000":       "127.0.0.1",
		"[::1]:4000":           "::1",
		"[0:0::1]":             "::1",
		"[::1":                 "[",
		":80":                  "",
	} {
		if got := hostName(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

// TestFindByHost: of the mounts on a path the one whose host fits best.
func TestFindByHost(t *testing.T) {
	mounts := []Mount{
		{Path: "/socket", Tenant: "any"},
		{Path: "/socket", Tenant: "example", Hosts: []string{"*.example.com"}},
		{Path: "/socket", Tenant: "acme", Hosts: []string{"ACME.example.com.", "*.acme.example.com"}},
		{Path: "/socket", Tenant: "local", Hosts: []string{"127.0.0.1", "[::1]"}},
		{Path: "/only", Tenant: "only", Hosts: []string{"only.test"}},
		{Path: "/:room", Tenant: "vars", Hosts: []string{"vars.test"}},
		{Path: "/:room", Tenant: "anyvars"},
	}
	if err := checkHosts(mounts); err != nil {
		t.Fatal(err)
	}
	all := newEndpoints(mounts)
	for _, tt := range []struct{ host, path, want string }{
		{"", "/socket/websocket", "any"},
		{"elsewhere.org", "/socket/websocket", "any"},
		{"example.com", "/socket/websocket", "any"}, // a * stands for something
		{"www.example.com", "/socket/websocket", "example"},
		{"a.b.example.com:4000", "/socket/longpoll", "example"},
		{"badexample.com", "/socket/websocket", "any"},
		{"acme.example.com", "/socket/websocket", "acme"},
		{"Acme.Example.Com:443", "/socket/longpoll", "acme"},
		{"eu.acme.example.com", "/socket/websocket", "acme"},
		{".acme.example.com", "/socket/websocket", "example"}, // no label is no host below it
		{"127.0.0.1:4000", "/socket/websocket", "local"},
		{"[::1]:4000", "/socket/websocket", "local"},
		{"only.test", "/only/websocket", "only"},
		{"other.test", "/only/websocket", "anyvars"},
		{"vars.test", "/socket/websocket", "vars"}, // a host that fits is worth more than a path without variables
		{"vars.test", "/room/websocket", "vars"},
		{"other.test", "/room/websocket", "anyvars"},
		{"other.test", "/socket/websocket", "any"},
		{"other.test", "/a/b/websocket", ""},
		{"only.test", "/socket/nothing", ""},
	} {
		var u fasthttp.URI
		if err := u.Parse([]byte(tt.host), []byte(tt.path)); err != nil {
			t.Fatal(err)
		}
		e, vars := all.find(&u)
		got := ""
		if e != nil {
			got = e.mount.Tenant
		}
		if got != tt.want || strings.HasSuffix(got, "vars") != (len(vars) == 1) {
			t.Errorf("%s%s: %q with %v, want %q", tt.host, tt.path, got, vars, tt.want)
		}
	}
}

// FuzzHosts: whatever a request names, a mount with hosts answers only to names
// that are spelled like one of them.
func FuzzHosts(f *testing.F) {
	for _, seed := range []string{"acme.example.com", "*.example.com", "[::1]", "127.0.0.1", "a:1", "*.*", "A.", "*."} {
		f.Add(seed, "x.example.com:80")
	}
	f.Fuzz(func(t *testing.T, pattern, header string) {
		name, problem := parseHostPattern(pattern)
		if problem != "" {
			return
		}
		again, problem := parseHostPattern(name)
		if problem != "" || again != name {
			t.Fatalf("%q is put into the form %q, which is %q, %s", pattern, name, again, problem)
		}
		m := Mount{Hosts: []string{name}}
		got := m.rankHost(hostName(header))
		whole := !strings.HasPrefix(name, "*")
		if whole && got == rankNone == (hostName(header) == name) {
			t.Fatalf("%q fits %q: %d", name, header, got)
		}
		if !whole && got != rankNone && !strings.HasSuffix(hostName(header), name[1:]) {
			t.Fatalf("%q fits %q: %d", name, header, got)
		}
	})
}
