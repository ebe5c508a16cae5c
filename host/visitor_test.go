package host_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/auth"
	"github.com/aviary-host/aviary/host/hosttest"
)

const jwtSecret = "a secret of no less than 32 bytes"

// jwt signs claims with HS256.
func jwt(secret, claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	body := enc([]byte(`{"alg":"HS256"}`)) + "." + enc([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return body + "." + enc(mac.Sum(nil))
}

// startAuth serves /socket, where a token is asked for, and shown to connect or
// not; connect is optional.
func startAuth(t *testing.T, h *script, shown bool) *server {
	t.Helper()
	v, err := auth.New(auth.Config{Algorithms: []string{"HS256"}, Secret: []byte(jwtSecret)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return startConfig(t, h, host.Config{Mounts: []host.Mount{{
		Path: "/socket", LongPoll: true, AuthToken: shown, Auth: v, IDPrefix: "users:", TokenParam: "jwt",
	}}})
}

// withToken are the ways in which a client can show a token.
func withToken(token string) map[string]func(url string) (string, hosttest.Options) {
	header := func(name, value string) hosttest.Options {
		return hosttest.Options{Header: http.Header{name: {value}}}
	}
	return map[string]func(url string) (string, hosttest.Options){
		"subprotocol": func(url string) (string, hosttest.Options) {
			encoded := strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(token)), "=")
			return url, hosttest.Options{Subprotocols: []string{"phoenix", "base64url.bearer.phx." + encoded}}
		},
		"bearer":    func(url string) (string, hosttest.Options) { return url, header("Authorization", "Bearer "+token) },
		"parameter": func(url string) (string, hosttest.Options) { return url + "&jwt=" + token, hosttest.Options{} },
		"poll": func(url string) (string, hosttest.Options) {
			o := header("X-Phoenix-Authtoken", token)
			o.LongPoll = true
			return url, o
		},
	}
}

func TestTokenIsChecked(t *testing.T) {
	s := startAuth(t, &script{}, false)
	good := jwt(jwtSecret, `{"sub":"ada","exp":4102444800}`)
	for way, with := range withToken(good) {
		url, o := with(s.url)
		c := hosttest.Dial(t, url, o)
		c.ExpectSilence()
		if way == "subprotocol" && c.Subprotocol != "phoenix" {
			t.Errorf("the subprotocol is %q, want phoenix", c.Subprotocol)
		}
		if err := s.Disconnect("users:ada"); err != nil {
			t.Fatal(err)
		}
		c.ExpectClose(1001)
	}
	bad := map[string]string{
		"wrong key": jwt("another secret of at least 32 bytes", `{"sub":"ada","exp":4102444800}`),
		"expired":   jwt(jwtSecret, `{"sub":"ada","exp":1}`),
		"nonsense":  "nonsense",
	}
	for name, token := range bad {
		for way, with := range withToken(token) {
			url, o := with(s.url)
			if r := hosttest.DialRefused(t, url, o); r.Status != 403 {
				t.Errorf("%s as %s: refused with %d, want 403", name, way, r.Status)
			}
		}
	}
	long := jwt(jwtSecret, fmt.Sprintf(`{"sub":%q,"exp":4102444800}`, strings.Repeat("a", 250)))
	r := hosttest.DialRefused(t, s.url+"&jwt="+long, hosttest.Options{})
	if r.Status != 403 || r.Body != "the token's subject makes an id topic of 256 bytes, over 255 (mount.jwt.id_prefix)" {
		t.Errorf("a subject that nobody could disconnect: %d %q", r.Status, r.Body)
	}
	r = hosttest.DialRefused(t, s.url, hosttest.Options{})
	if r.Status != 403 || !strings.Contains(r.Body, "a token is needed") {
		t.Errorf("without a token: %d %q", r.Status, r.Body)
	}
	if log := s.log.String(); strings.Contains(log, good) || !strings.Contains(log, "code=UNAUTHENTICATED") {
		t.Errorf("the log is to say why, and not to show tokens:\n%s", log)
	}
}

// TestConnectSeesTheClaims: the check is done, the decision may still be the
// plugin's.
func TestConnectSeesTheClaims(t *testing.T) {
	headers := make(chan string, 1)
	s := startAuth(t, &script{connect: func(req *abi.Request, resp *abi.Response) error {
		headers <- string(req.Headers)
		resp.Result, resp.IDTopic = abi.ResultReply, []byte("mine")
		return nil
	}}, true)
	claims := `{"sub":"ada","exp":4102444800,"role":"admin"}`
	token := jwt(jwtSecret, claims)
	url, o := withToken(token)["subprotocol"](s.url)
	c := hosttest.Dial(t, url, o)
	want := fmt.Sprintf(`{":auth_token":%q,":claims":%s}`, token, quote(claims))
	if got := <-headers; got != want {
		t.Errorf("connect saw %s, want %s", got, want)
	}
	c.ExpectSilence()
	if err := s.Disconnect("mine"); err != nil { // its own id wins
		t.Fatal(err)
	}
	c.ExpectClose(1001)
}

// TestAuthTokenForms: both alphabets of base64, with and without padding; the
// token alone; and what is no base64.
func TestAuthTokenForms(t *testing.T) {
	seen := make(chan string, 1)
	s := startConfig(t, &script{connect: func(req *abi.Request, resp *abi.Response) error {
		seen <- string(req.Headers)
		return accept(req, resp)
	}}, host.Config{Mounts: []host.Mount{{Path: "/socket", AuthToken: true}, {Path: "/without"}}})
	const token = "??>>~~" // in which the alphabets differ
	const prefix = "base64url.bearer.phx."
	for _, encoded := range []string{
		base64.RawStdEncoding.EncodeToString([]byte(token)),
		base64.RawURLEncoding.EncodeToString([]byte(token)),
		base64.URLEncoding.EncodeToString([]byte(token + "!")),
	} {
		for _, offered := range [][]string{{"phoenix", prefix + encoded}, {prefix + encoded}} {
			c := hosttest.Dial(t, s.url, hosttest.Options{Subprotocols: offered})
			if got := <-seen; !strings.Contains(got, `":auth_token":"`+token) {
				t.Errorf("%v: connect saw %s", offered, got)
			}
			if want := map[int]string{2: "phoenix"}[len(offered)]; c.Subprotocol != want {
				t.Errorf("%v: the subprotocol is %q, want %q", offered, c.Subprotocol, want)
			}
		}
	}
	r := hosttest.DialRefused(t, s.url, hosttest.Options{Subprotocols: []string{"phoenix", prefix + "!"}})
	if r.Status != 400 {
		t.Errorf("no base64: refused with %d, want 400", r.Status)
	}
	r = hosttest.DialRefused(t, s.url, hosttest.Options{Subprotocols: []string{"mqtt"}})
	if r.Status != 403 {
		t.Errorf("another protocol: refused with %d, want 403", r.Status)
	}
	without := strings.Replace(s.url, "/socket/", "/without/", 1)
	c := hosttest.Dial(t, without, hosttest.Options{Subprotocols: []string{"phoenix", prefix + "eA"}})
	if got := <-seen; got != `{}` || c.Subprotocol != "" {
		t.Errorf("a mount without tokens showed %s and chose %q", got, c.Subprotocol)
	}
}
