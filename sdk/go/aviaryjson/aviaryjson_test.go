package aviaryjson_test

import (
	"os"
	"strings"
	"testing"

	aviary "github.com/aviary-host/aviary/sdk/go"
	"github.com/aviary-host/aviary/sdk/go/aviaryjson"
	"github.com/aviary-host/aviary/sdk/go/aviarytest"
)

type tally struct {
	Votes map[string]int `json:"votes"`
}

func TestMain(m *testing.M) {
	declarePoll()
	os.Exit(m.Run())
}

func declarePoll() {
	poll := aviary.Channel("poll:*", aviaryjson.State[tally]())
	poll.Join(func(c *aviary.Context[tally], _ aviary.Value) aviary.JoinResult {
		c.State().Votes = map[string]int{}
		return c.Accept(nil)
	})
	poll.On("vote", func(c *aviary.Context[tally], p aviary.Value) aviary.Result {
		var vote struct{ For string }
		if err := aviaryjson.Decode(p, &vote); err != nil {
			return c.ReplyError(aviary.Object().Str("reason", err.Error()))
		}
		c.State().Votes[vote.For]++
		return c.Reply(aviaryjson.Payload(c.State()))
	})
	poll.On("bad", func(c *aviary.Context[tally], _ aviary.Value) aviary.Result {
		return c.Reply(aviaryjson.Payload(func() {}))
	})
}

func TestStateAndPayload(t *testing.T) {
	poll := aviarytest.New(t).Join("poll:1", "")
	poll.In("vote", `{"for":"a"}`)
	poll.In("vote", `{"for":"b"}`)
	if got := poll.In("vote", `{"for":"a"}`).String(); got != `reply ok {"votes":{"a":2,"b":1}}` {
		t.Error(got)
	}
	before := string(poll.State)
	if got := poll.In("vote", `{"for":7}`).String(); !strings.HasPrefix(got, `reply_error {"reason":"json: cannot`) {
		t.Error(got)
	}
	if got := poll.InBytes("vote", []byte(`{"for":"a"}`)).String(); !strings.Contains(got, "not JSON") {
		t.Error(got)
	}
	if string(poll.State) != before {
		t.Errorf("%s became %s", before, poll.State)
	}
	if _, err := poll.TryIn("bad", ""); err == nil || !strings.Contains(err.Error(), "unsupported type") {
		t.Error(err)
	}
	poll.State = []byte(`[`)
	if _, err := poll.TryIn("vote", `{"for":"a"}`); err == nil || !strings.Contains(err.Error(), "state of poll:1") {
		t.Error(err)
	}
}
