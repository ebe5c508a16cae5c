package plugins_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// TestSlot: nothing is let through before there is a plugin, and nothing is in its way
// afterwards.
func TestSlot(t *testing.T) {
	s := plugins.NewSlot("chat")
	resp := abi.Response{Result: abi.ResultReply, Payload: []byte("old")}
	handle := func() error {
		_, err := s.Handle(&abi.Request{Callback: abi.CallbackHandleIn, Payload: []byte("go")}, nil, &resp)
		return err
	}
	check := func(want string) {
		t.Helper()
		checkNotLoaded(t, handle(), want)
		if resp.Result != 0 || resp.Payload != nil {
			t.Errorf("response was left filled: %+v", resp)
		}
		if !s.Implements(abi.CallbackConnect) || s.Plugin() != nil {
			t.Error("a callback may be thought absent")
		}
	}
	check("plugin chat: plugin is not loaded: it is being loaded")
	if got := s.Stats(); got.Name != "chat" || got.State != "loading" {
		t.Errorf("stats are %+v", got)
	}
	s.Fail(errors.New("it is broken"))
	check("plugin chat: plugin is not loaded: it is broken")
	if got := s.Stats(); got.State != "refused" {
		t.Errorf("stats are %+v", got)
	}
	p := load(t, fault(t, "echo"), plugins.Config{})
	s.Fill(p)
	if err := handle(); err != nil || string(resp.Payload) != "go" {
		t.Errorf("echo is %s: %v", resp.Payload, err)
	}
	checkFilled(t, s, p)
}

func checkFilled(t *testing.T, s *plugins.Slot, p *plugins.Plugin) {
	t.Helper()
	if s.Implements(abi.CallbackConnect) || s.Plugin() != p || s.Stats().State != "ready" {
		t.Error("the slot is not the plugin")
	}
}

// checkNotLoaded checks the error of a slot without a plugin.
func checkNotLoaded(t *testing.T, err error, want string) {
	t.Helper()
	var unavailable *plugins.UnavailableError
	if !errors.As(err, &unavailable) || !errors.Is(err, plugins.ErrNotLoaded) || unavailable.RetryAfter != time.Second || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}
