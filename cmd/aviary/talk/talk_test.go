package talk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/cmd/aviary/app"
	"github.com/aviary-host/aviary/cmd/aviary/talk"
	"github.com/aviary-host/aviary/host/client"
)

// serve serves a fault guest and returns the app.
func serve(t *testing.T, module string) *app.App {
	t.Helper()
	a, err := app.Start(t.Context(), &app.Config{
		HTTP:    app.HTTP{Addr: "127.0.0.1:0"},
		Plugins: []app.Plugin{{Name: "echo", Path: filepath.Join("../../../plugins/testdata/faults", module+".wasm"), Topics: []string{"room:*"}}},
		Mounts:  []app.Mount{{Path: "/socket"}},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return a
}

func socket(a *app.App) string { return "ws://" + a.PublicAddr() + "/socket" }

// TestTalk: every line is sent, every answer printed, and the end waits for them.
func TestTalk(t *testing.T) {
	var out bytes.Buffer
	err := talk.Talk(t.Context(), talk.Config{
		URL: socket(serve(t, "echo")), Topic: "room:1", Join: json.RawMessage(`{ "name": "Ada" }`),
		In: strings.NewReader("say {\"text\":\"hi\"}\n\nping\n  say [1, 2]  \nsay {\n"), Out: &out,
	})
	const want = `<- joined room:1 {"name":"Ada"}
-> say {"text":"hi"}
-> ping {}
-> say [1, 2]
?? { is not JSON; a line is an event and its payload, such as: new_msg {"text":"hi"}
<- reply ok {"text":"hi"}
<- reply ok {}
<- reply ok [1,2]
<- left
`
	sent, got := split(out.String())
	wantSent, wantGot := split(want)
	if err != nil || sent != wantSent || got != wantGot {
		t.Errorf("%v, printed\n%s\nwant\n%s", err, &out, want)
	}
}

// split takes apart what is sent and what comes, between which there is no order.
func split(text string) (sent, got string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "<-") {
			got += line
		} else {
			sent += line
		}
	}
	return sent, got
}

func TestTalkRefused(t *testing.T) {
	a := serve(t, "echo")
	for topic, want := range map[string]string{"room:1": "", "else:1": `the join was refused: {"reason":"unmatched topic"}`} {
		err := talk.Talk(t.Context(), talk.Config{URL: socket(a), Topic: topic, In: strings.NewReader(""), Out: io.Discard})
		if want == "" && err != nil || want != "" && (!errors.Is(err, talk.ErrRefused) || err.Error() != want) {
			t.Errorf("%s: %v", topic, err)
		}
	}
	err := talk.Talk(t.Context(), talk.Config{URL: "ws://" + a.PublicAddr() + "/none", Topic: "room:1", In: strings.NewReader(""), Out: io.Discard})
	var refused *client.RefusedError
	if !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		t.Errorf("another path: %v", err)
	}
	if err := talk.Talk(t.Context(), talk.Config{URL: "http://" + a.PublicAddr(), Topic: "room:1"}); err == nil || !strings.Contains(err.Error(), "is not like ws://127.0.0.1:4000/socket") {
		t.Errorf("no WebSocket: %v", err)
	}
}

// TestTalkEnded: the end of the channel, or of the server, ends the conversation.
func TestTalkEnded(t *testing.T) {
	var out bytes.Buffer
	in, _ := io.Pipe() // never ends
	first := io.MultiReader(strings.NewReader("pour {}\n"), in)
	err := talk.Talk(t.Context(), talk.Config{URL: socket(serve(t, "panic_import")), Topic: "room:1", In: first, Out: &out})
	if !errors.Is(err, talk.ErrEnded) || !strings.Contains(out.String(), `<- phx_error {"reason":"channel_crash"}`) {
		t.Errorf("%v, printed\n%s", err, &out)
	}
	a := serve(t, "echo")
	err = talk.Talk(t.Context(), talk.Config{URL: socket(a), Topic: "room:1", In: in, Out: writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte("joined")) {
			go func() { _ = a.Close(context.Background()) }() // its error is the cleanup's
		}
	})})
	var closed *client.CloseError
	if !errors.Is(err, talk.ErrEnded) || errors.As(err, &closed) && closed.Code != 1012 {
		t.Errorf("the server's end: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = talk.Talk(ctx, talk.Config{URL: socket(serve(t, "echo")), Topic: "room:1", In: in, Out: writerFunc(func([]byte) { cancel() })})
	if err != nil {
		t.Errorf("the end of the context: %v", err)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
