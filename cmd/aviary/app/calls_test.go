package app

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

// apiAnswer is what the API answered.
type apiAnswer struct {
	Deployed
	Error struct{ Code, Message string }
}

// call makes a call about a plugin.
func (a *aviary) call(t *testing.T, method, path string, options url.Values, body []byte) (status int, answer apiAnswer) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+a.InternalAddr()+"/api/v1/plugins/"+path+"?"+options.Encode(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it was read to its end
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return resp.StatusCode, answer
}

func startAPI(t *testing.T, keys DeployKeys) *aviary {
	t.Helper()
	return startCount(t, Plugin{}, Config{Internal: Internal{Addr: "127.0.0.1:0", DeployKeys: keys}})
}

// TestDeployCalls: what is sent serves, what is wrong is refused by code and reason, and
// both are in the log with who sent it.
func TestDeployCalls(t *testing.T) {
	a := startAPI(t, nil)
	c := hosttest.Dial(t, a.url, hosttest.Options{})
	j := c.Join("t", `{}`)
	two := versionModule(t, 2, 0)
	status, got := a.call(t, "POST", "count/deploy", url.Values{"sha256": {strings.ToUpper(hashOf(two))}}, two)
	if status != http.StatusOK || got.Generation != 2 || got.Module != hashOf(two) || got.Channels != 1 {
		t.Errorf("deployed: %d %+v", status, got)
	}
	c.Push("t", "go", `{}`)
	c.Expect(counted(j, "2", "t", 2, 1))
	for _, tt := range []struct {
		method, path string
		options      url.Values
		body         []byte
		status       int
		code, want   string
	}{
		{"POST", "count/deploy", nil, []byte("#!/bin/sh"), 422, "MODULE_REFUSED", "count"},
		{"POST", "count/deploy", url.Values{"sha256": {hashOf(two)}}, two[1:], 400, "BAD_REQUEST", "the body is not what was sent"},
		{"POST", "count/deploy", url.Values{"canary": {"10"}}, two, 400, "BAD_REQUEST", `"10" is not a share`},
		{"POST", "count/deploy", url.Values{"canary": {"NaN%"}}, two, 400, "BAD_REQUEST", `is not a share`},
		{"POST", "count/deploy", url.Values{"signature": {"x"}}, two, 400, "BAD_REQUEST", "internal.deploy_keys"},
		{"POST", "count/deploy", url.Values{"canarry": {"10%"}}, two, 400, "BAD_REQUEST", `no such option: "canarry"`},
		{"POST", "count/deploy", nil, nil, 422, "MODULE_REFUSED", "count"},
		{"POST", "nobody/deploy", nil, two, 404, "NO_SUCH_PLUGIN", `"nobody"`},
		{"POST", "a%2Fb/deploy", nil, two, 404, "NO_SUCH_PLUGIN", `"a/b"`},
		{"POST", "count/deplane", nil, two, 404, "NOT_FOUND", "deplane"},
		{"POST", "count/promote", nil, nil, 409, "NO_TRIAL", "no module is on trial"},
		{"GET", "count/deploy", nil, nil, 405, "METHOD", "use POST"},
	} {
		status, got := a.call(t, tt.method, tt.path, tt.options, tt.body)
		if status != tt.status || got.Error.Code != tt.code || !strings.Contains(got.Error.Message, tt.want) {
			t.Errorf("%s %s %v: %d %+v, want %d %s %s", tt.method, tt.path, tt.options, status, got.Error, tt.status, tt.code, tt.want)
		}
	}
	a.lines["count"].expectServing(t, 2)
	if status, got = a.call(t, "POST", "count/rollback", nil, nil); status != http.StatusOK || got.Generation != 3 || got.Module != hashOf(versionModule(t, 1, 0)) {
		t.Errorf("rolled back: %d %+v", status, got)
	}
	c.Push("t", "go", `{}`)
	c.Expect(counted(j, "3", "t", 1, 2))
	if status, got = a.call(t, "POST", "count/rollback", nil, nil); status != http.StatusConflict || got.Error.Code != "NO_OLDER_MODULE" {
		t.Errorf("rolled back again: %d %+v", status, got)
	}
	for _, want := range []string{
		`msg="plugin deployed" plugin=count generation=2 sha=` + hashOf(two)[:12] + ` module=` + hashOf(two) + ` source=127.0.0.1:`,
		`msg="plugin rolled back" plugin=count generation=3`,
		`code=DEPLOY_REFUSED`,
		`code=ROLLBACK_REFUSED`,
	} {
		if !strings.Contains(a.log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, a.log)
		}
	}
}

func (l *line) expectServing(t *testing.T, number int) {
	t.Helper()
	if got := l.serving().number; got != number {
		t.Errorf("generation %d serves, want %d", got, number)
	}
}

// keyPair makes a key and writes the public half to a file.
func keyPair(t *testing.T) (private ed25519.PrivateKey, file string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return private, file
}

// TestSignedDeploy: where there are keys, only what one of them has signed, for this plugin,
// is looked at.
func TestSignedDeploy(t *testing.T) {
	ops, opsFile := keyPair(t)
	other, _ := keyPair(t)
	a := startAPI(t, DeployKeys{"ops": opsFile})
	wasm := versionModule(t, 2, 0)
	sign := func(key ed25519.PrivateKey, text []byte) string {
		return base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, text))
	}
	good := SignedText("count", hashOf(wasm))
	for _, tt := range []struct{ name, key, signature string }{
		{"not at all", "", ""},
		{"by an unknown key", "dev", sign(other, good)},
		{"by another than it says", "ops", sign(other, good)},
		{"for another plugin", "ops", sign(ops, SignedText("door", hashOf(wasm)))},
		{"of another module", "ops", sign(ops, SignedText("count", hashOf(wasm[1:])))},
		{"in another code", "ops", "%%"},
	} {
		status, got := a.call(t, "POST", "count/deploy", url.Values{"key": {tt.key}, "signature": {tt.signature}}, wasm)
		if status != http.StatusForbidden || got.Error.Code != "NOT_SIGNED" {
			t.Errorf("signed %s: %d %+v", tt.name, status, got)
		}
	}
	a.lines["count"].expectServing(t, 1)
	if status, got := a.call(t, "POST", "count/deploy", url.Values{"key": {"ops"}, "signature": {sign(ops, good)}}, wasm); status != http.StatusOK || got.Generation != 2 {
		t.Errorf("signed well: %d %+v", status, got)
	}
	if want := "key=ops"; !strings.Contains(a.log.String(), want) {
		t.Errorf("the log does not say %s:\n%s", want, a.log)
	}
}

// TestDeployKeysRefused: a key that cannot be used ends the start, naming it.
func TestDeployKeysRefused(t *testing.T) {
	for text, want := range map[string]string{
		"": "it is not PEM",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n": "asn1",
	} {
		file := filepath.Join(t.TempDir(), "bad.pub")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := DeployKeys{"ops": file}.read()
		if err == nil || !strings.Contains(err.Error(), "internal.deploy_keys.ops: "+file) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

// askAll has so many sockets join and count, and returns how many were with each version.
func (a *aviary) askAll(t *testing.T, sockets int) (versions map[string]int) {
	t.Helper()
	versions = map[string]int{}
	for range sockets {
		c := hosttest.Dial(t, a.url, hosttest.Options{})
		c.Join("t", `{}`)
		c.Push("t", "go", `{}`)
		reply, _ := c.Receive().Payload.(map[string]any)
		versions[fmt.Sprint(reply["response"])[:2]]++
	}
	return versions
}

// expectCall makes a call that has to work, and returns the answer.
func (a *aviary) expectCall(t *testing.T, path string, options url.Values, body []byte) Deployed {
	t.Helper()
	status, got := a.call(t, "POST", path, options, body)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %+v", path, status, got)
	}
	return got.Deployed
}

// TestTrialCalls: a share of new channels begins with a module on trial; it serves all when it is
// promoted, none when it is rolled back, and what is kept is only what has served.
func TestTrialCalls(t *testing.T) {
	const sockets = 40
	a := startAPI(t, nil)
	half := url.Values{"canary": {"50%"}}
	if got := a.expectCall(t, "count/deploy", half, versionModule(t, 2, 0)); got.Canary != 0.5 || got.Generation != 2 {
		t.Errorf("on trial: %+v", got)
	}
	if v := a.askAll(t, sockets); v["v1"] < sockets/5 || v["v2"] < sockets/5 {
		t.Errorf("versions are %v, want about half of each", v)
	}
	if got := a.generations(); !strings.HasPrefix(got, "1 current ") || !strings.Contains(got, "; 2 trial ") {
		t.Errorf("generations are %s", got)
	}
	if got := a.expectCall(t, "count/rollback", nil, nil); got.Generation != 1 {
		t.Errorf("withdrawn: %+v", got)
	}
	if v := a.askAll(t, sockets); v["v1"] != sockets {
		t.Errorf("versions are %v after the trial, want 1 only", v)
	}
	a.expectCall(t, "count/deploy", half, versionModule(t, 3, 0))
	if got := a.expectCall(t, "count/promote", nil, nil); got.Generation != 3 {
		t.Errorf("promoted: %+v", got)
	}
	if v := a.askAll(t, sockets); v["v3"] != sockets {
		t.Errorf("versions are %v, want 3 only", v)
	}
	if got := a.lines["count"].kept.Entries(); len(got) != 2 || got[1].Generation != 3 {
		t.Errorf("kept are %+v, want what served", got)
	}
}

// TestTrialIsWithdrawn: a module that fails more often than the one that serves loses its
// channels to that one.
func TestTrialIsWithdrawn(t *testing.T) {
	a := startAPI(t, nil)
	a.lines["count"].plugin.Breaker.Failures = -1
	if status, _ := a.call(t, "POST", "count/deploy", url.Values{"canary": {"99%"}}, versionModule(t, 2, 0)); status != http.StatusOK {
		t.Fatal(status)
	}
	for failed := 0; failed < trialFailures; {
		c := hosttest.Dial(t, a.url, hosttest.Options{})
		j := c.Join("t", `{}`)
		c.Push("t", "go", `{}`)
		reply, _ := c.Receive().Payload.(map[string]any)
		if !strings.HasPrefix(fmt.Sprint(reply["response"]), "v2") {
			continue
		}
		c.Push("t", "go", `"trap"`)
		c.Expect(fmt.Sprintf(`[%q,%q,"t","phx_error",{"reason":"channel_crash"}]`, j, j))
		failed++
	}
	a.log.await(t, "code=TRIAL_WITHDRAWN plugin=count generation=2")
	if got := a.generations(); !strings.HasPrefix(got, "1 current ") {
		t.Errorf("generations are %s", got)
	}
}

func TestWorse(t *testing.T) {
	for _, tt := range []struct {
		name       string
		old, tried tally
		want       bool
	}{
		{"none fail", tally{1000, 0}, tally{1000, 0}, false},
		{"few", tally{1000, 0}, tally{10, trialFailures - 1}, false},
		{"enough", tally{1000, 0}, tally{10, trialFailures}, true},
		{"less than one of a hundred", tally{1000, 0}, tally{1000, 9}, false},
		{"one of a hundred", tally{1000, 0}, tally{1000, 10}, true},
		{"as many as the old one", tally{1000, 100}, tally{100, 10}, false},
		{"twice as many", tally{1000, 100}, tally{100, 20}, false},
		{"more than twice as many", tally{1000, 100}, tally{100, 21}, true},
		{"the old one was not called", tally{0, 0}, tally{100, 10}, true},
	} {
		if got := worse(tt.old, tt.tried); (got != "") != tt.want {
			t.Errorf("%s: %q, want %v", tt.name, got, tt.want)
		}
	}
}

// TestRestart: a server comes back with what served, unless the configuration has another
// module since; with what served if that one is broken.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	path, data := filepath.Join(dir, "count.wasm"), filepath.Join(dir, "data")
	serves := func(want string, do func(a *aviary)) {
		t.Helper()
		t.Run(want, func(t *testing.T) {
			a := startCount(t, Plugin{Path: path}, Config{DataDir: data})
			c := hosttest.Dial(t, a.url, hosttest.Options{})
			c.Join("t", `{}`)
			c.Push("t", "go", `{}`)
			reply, _ := c.Receive().Payload.(map[string]any)
			if got := fmt.Sprintf("generation %d, %s", a.lines["count"].serving().number, reply["response"]); got != want {
				t.Errorf("serves %s, want %s\n%s", got, want, a.log)
			}
			do(a)
		})
	}
	nothing := func(*aviary) {}
	replace(t, path, versionModule(t, 1, 0))
	serves("generation 1, v1:00000001", func(a *aviary) { a.deploy(t, versionModule(t, 2, 0)) })
	serves("generation 2, v2:00000001", nothing)
	serves("generation 2, v2:00000001", func(a *aviary) {
		if d, err := a.Rollback(t.Context(), "count", Origin{}); err != nil || d.Generation != 3 {
			t.Errorf("rolled back %+v: %v", d, err)
		}
	})
	serves("generation 3, v1:00000001", nothing)
	replace(t, path, versionModule(t, 4, 0))
	serves("generation 4, v4:00000001", nothing)
	replace(t, path, []byte("#!/bin/sh"))
	serves("generation 4, v4:00000001", func(a *aviary) {
		if !strings.Contains(a.log.String(), "code=PLUGIN_REFUSED plugin=count") {
			t.Errorf("the log does not say that the file is refused:\n%s", a.log)
		}
	})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	serves("generation 4, v4:00000001", nothing)
}
