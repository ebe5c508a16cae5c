package plugins_test

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

var errNotYours = errors.New(`topic "secret:1" is not among the plugin's presence topics`)

// checkDenied wants a callback that failed for want of a capability.
func checkDenied(t *testing.T, err error, why error) {
	t.Helper()
	var call *plugins.CallError
	if !errors.As(err, &call) || call.Kind != plugins.KindDenied || !call.Denied() || !errors.Is(err, why) {
		t.Fatalf("error is %T %v", err, err)
	}
	if want := "plugin chat: handle_in: denied: " + why.Error(); err.Error() != want {
		t.Errorf("error is %s, want %s", err, want)
	}
}

// TestDeniedPresenceList: the author has to see it, so it is no empty list, and
// the next callback is none the worse.
func TestDeniedPresenceList(t *testing.T) {
	p := load(t, fault(t, "imports"), plugins.Config{
		Presence: func(dst []byte, topic string) []byte { return append(dst, `{"of":"`+topic+`"}`...) },
		PresenceDenied: func(topic []byte) error {
			if string(topic) == "secret:1" {
				return errNotYours
			}
			return nil
		},
	})
	list := func(topic string) order {
		return order{fn: fnPresenceList, args: [4]uint32{addrText, uint32(len(topic)), addrOut, 64}, text: topic}
	}
	_, err := handle(p, abi.CallbackHandleIn, list("secret:1").payload())
	checkDenied(t, err, errNotYours)
	if n, got := list("room:1").run(t, p); n != 15 || got != `{"of":"room:1"}` {
		t.Errorf("presence_list = %d %q", n, got)
	}
}

// TestDeniedLog: the import is denied by name; standard output is not, since a
// run-time writes there, but nothing of it is logged.
func TestDeniedLog(t *testing.T) {
	errNoLog := errors.New("log: the plugin may not do that")
	logger, out := newLogger()
	p := load(t, fault(t, "imports"), plugins.Config{Logger: logger, LogDenied: errNoLog})
	_, err := handle(p, abi.CallbackHandleIn, order{args: [4]uint32{1, addrText, 2}, text: "hi"}.payload())
	checkDenied(t, err, errNoLog)

	iovec := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, addrText+8), 3)
	write := order{fn: fnWrite, args: [4]uint32{2, addrText, 1, addrOut}, text: string(iovec) + "hi\n"}
	if n, _ := write.run(t, p); n != 0 {
		t.Errorf("fd_write = %d", n)
	}
	write.trap = true
	_, err = handle(p, abi.CallbackHandleIn, write.payload())
	var call *plugins.CallError
	if !errors.As(err, &call) || call.Denied() || call.Stderr != "hi" {
		t.Errorf("error is %+v", err)
	}
	if lines := out.lines(); lines != nil {
		t.Errorf("logged %q", lines)
	}
}

// TestDeniedProbe: a module that runs into what it may not do is well. As long as clients
// have it try that, a breaker that does not take note would let them through one at a time.
func TestDeniedProbe(t *testing.T) {
	errNoLog := errors.New("log: the plugin may not do that")
	p := load(t, fault(t, "imports"), plugins.Config{LogDenied: errNoLog, Breaker: plugins.Breaker{Failures: 1, Window: time.Second}})
	p.OpenBreaker()
	_, err := handle(p, abi.CallbackHandleIn, order{args: [4]uint32{1, addrText, 2}, text: "hi"}.payload())
	checkDenied(t, err, errNoLog)
	if s := p.Stats(); s.Breaker != "closed" {
		t.Errorf("the breaker is %s", s.Breaker)
	}
}

// TestSecrets: by their key only, and not with the whole object. That they are
// not sent with requests is seen in TestStandardLibraryGoGuest.
func TestSecrets(t *testing.T) {
	const settings = `{"greeting":"hi"}`
	cfg := plugins.Config{Settings: []byte(settings), Secrets: map[string]string{"api_key": `a "key"`, "empty": ""}}
	for _, tt := range []struct {
		key  string
		n    int32
		want string
	}{
		{"greeting", 4, `"hi"`},
		{"api_key", 11, `"a \"key\""`},
		{"empty", 2, `""`},
		{"other", -1, ""},
		{"", int32(len(settings)), settings},
	} {
		p := load(t, fault(t, "imports"), cfg) // whose memory is clean
		o := order{fn: fnConfig, args: [4]uint32{addrText, uint32(len(tt.key)), addrOut, 64}, text: tt.key}
		if n, got := o.run(t, p); n != tt.n || got != tt.want {
			t.Errorf("config(%q) = %d %q, want %d %q", tt.key, n, got, tt.n, tt.want)
		}
	}
}

func TestSecretsAreChecked(t *testing.T) {
	for name, tt := range map[string]struct {
		secrets map[string]string
		want    string
	}{
		"no key":    {map[string]string{"": "s3cret"}, "configured with a secret that has no key"},
		"taken":     {map[string]string{"greeting": "s3cret"}, `configured with "greeting" as a setting and as a secret`},
		"not UTF-8": {map[string]string{"k": "s3cret\xff"}, `configured with a secret "k" that is not UTF-8`},
	} {
		_, err := plugins.Load(context.Background(), fault(t, "echo"), plugins.Config{
			Name: "chat", Settings: []byte(`{"greeting":1}`), Secrets: tt.secrets,
		})
		if err == nil || err.Error() != "plugin chat: "+tt.want || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: error %v, want %s", name, err, tt.want)
		}
	}
}
