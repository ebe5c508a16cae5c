package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

// The cases of phoenix.md section 4.4 are those of host/origin; that policies
// belong to mounts (47) and what they do without a configuration is tested in
// host.
func Test16_104_Origins(t *testing.T) {
	url := fixtureOf(t).socketURL("/socket", "")
	for origin, ok := range map[string]bool{
		"https://example.com":        true,
		"http://notallowed.com":      false,
		"https://other.example.com":  false, // 42
		"null":                       false, // 43
		"file://":                    false,
		"https://example.com.evil.x": false,
	} {
		o := clientOptions()
		o.Header = http.Header{"Origin": {origin}}
		if ok {
			hosttest.Dial(t, url, o).ExpectSilence()
			continue
		}
		if r := hosttest.DialRefused(t, url, o); r.Status != 403 || !polls() && !strings.Contains(r.Body, "mount.origins") {
			t.Errorf("%s: refused with %d %q, want 403 and why", origin, r.Status, r.Body)
		}
	}
}
