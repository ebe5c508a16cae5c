package hosttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// poller carries a client's messages by long polling (phoenix
// transports/long_poll.ex, longpoll.js).
type poller struct {
	http    *http.Client
	url     string
	host    string // in place of url's; empty for that
	header  http.Header
	token   string
	waiting []string // messages that a poll brought and nobody has taken yet
}

// PollAnswer is the body of an answer to a long-polling request.
type PollAnswer struct {
	Status   int      `json:"status"`
	Token    string   `json:"token"`
	Messages []string `json:"messages"`

	HTTPStatus int         `json:"-"`
	Header     http.Header `json:"-"`
}

// errSessionGone tells that the server has ended the session.
var errSessionGone = errors.New("the session is gone")

// pollURL returns the long-polling address beside a WebSocket's.
func pollURL(wsURL string) string {
	return strings.Replace(strings.Replace(wsURL, "ws://", "http://", 1), "/websocket", "/longpoll", 1)
}

// newPoller begins a session; the refusal is that of the server.
func newPoller(wsURL string, o Options) (*poller, *Refusal, error) {
	p := &poller{http: &http.Client{Timeout: Timeout, Transport: &http.Transport{}}, url: pollURL(wsURL), host: o.Host, header: o.Header}
	a, err := p.request(http.MethodGet, "", "")
	switch {
	case err != nil:
		return nil, nil, err
	case a.Status != http.StatusGone || a.Token == "":
		return nil, &Refusal{Status: a.Status, Header: a.Header}, nil
	}
	p.token = a.Token
	return p, nil, nil
}

// request sends one request with the session's token, in the header as newer
// clients do.
func (p *poller) request(method, contentType, body string) (*PollAnswer, error) {
	req, err := http.NewRequest(method, p.url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Host = p.host
	for name, values := range p.header {
		req.Header[name] = values
	}
	if p.token != "" {
		req.Header.Set("X-Phoenix-Longpoll-Token", p.token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return Poll(p.http, req)
}

// Poll sends a long-polling request as it is and reads the answer.
func Poll(client *http.Client, req *http.Request) (*PollAnswer, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	a := &PollAnswer{HTTPStatus: resp.StatusCode, Header: resp.Header}
	if len(bytes.TrimSpace(body)) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(body, a); err != nil {
		return nil, fmt.Errorf("answer %q: %w", body, err)
	}
	return a, nil
}

// send posts messages as one batch.
func (p *poller) send(texts ...string) error {
	a, err := p.request(http.MethodPost, "application/x-ndjson", strings.Join(texts, "\n"))
	if err != nil {
		return err
	}
	if a.Status == http.StatusGone {
		return errSessionGone
	}
	return nil // what else the server thinks of them, tests see by what comes
}

// sendWhole posts one message that is no line of a batch.
func (p *poller) sendWhole(text string) error {
	_, err := p.request(http.MethodPost, "application/json", text)
	return err
}

// next returns the next message.
func (p *poller) next() (string, error) {
	for end := time.Now().Add(Timeout); len(p.waiting) == 0; {
		if time.Now().After(end) {
			return "", os.ErrDeadlineExceeded
		}
		a, err := p.request(http.MethodGet, "", "")
		switch {
		case err != nil:
			return "", err
		case a.Status == http.StatusGone, a.HTTPStatus == http.StatusServiceUnavailable:
			p.token = "" // that of the new session is for nobody
			return "", errSessionGone
		}
		p.waiting = a.Messages
	}
	text := p.waiting[0]
	p.waiting = p.waiting[1:]
	return text, nil
}

func (p *poller) drop() { p.http.CloseIdleConnections() }

// withVersion returns url with the vsn parameter replaced.
func withVersion(address, vsn string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	q := u.Query()
	q.Set("vsn", vsn)
	u.RawQuery = q.Encode()
	return u.String()
}
