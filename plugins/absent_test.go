package plugins_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// TestAbsent: nothing is let through before there is a plugin.
func TestAbsent(t *testing.T) {
	a := plugins.NewAbsent("chat")
	check := func(state, want string) {
		t.Helper()
		resp := abi.Response{Result: abi.ResultReply, Payload: []byte("old")}
		_, err := a.Handle(&abi.Request{Callback: abi.CallbackHandleIn, Payload: []byte("go")}, nil, &resp)
		checkNotLoaded(t, err, want)
		if resp.Result != 0 || resp.Payload != nil {
			t.Errorf("response was left filled: %+v", resp)
		}
		if !a.Implements(abi.CallbackConnect) {
			t.Error("a callback may be thought absent")
		}
		if got := a.Stats(); got.Name != "chat" || got.State != state {
			t.Errorf("stats are %+v", got)
		}
	}
	check("loading", "plugin chat: plugin is not loaded: it is being loaded")
	a.Fail(errors.New("it is broken"))
	check("refused", "plugin chat: plugin is not loaded: it is broken")
}

// checkNotLoaded checks the error of what stands in for a plugin.
func checkNotLoaded(t *testing.T, err error, want string) {
	t.Helper()
	var unavailable *plugins.UnavailableError
	if !errors.As(err, &unavailable) || !errors.Is(err, plugins.ErrNotLoaded) || unavailable.RetryAfter != time.Second || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}
