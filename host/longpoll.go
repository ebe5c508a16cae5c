package host

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// pollStatus is the status in the body of an answer. The HTTP status is 200
// with all of them, as Phoenix has it and its clients expect, but for
// pollBadRequest (transports/long_poll.ex).
type pollStatus int

const (
	pollOK         pollStatus = 200
	pollNothing    pollStatus = 204
	pollBadRequest pollStatus = 400
	pollForbidden  pollStatus = 403
	pollTimeout    pollStatus = 408
	pollGone       pollStatus = 410
)

// maxBatch is how many messages of one POST are read; Phoenix does not look at
// the rest either (long_poll.ex, CVE-2026-32689).
const maxBatch = 100

// maxBatchBody bounds the body of a POST, in bytes, as Phoenix does: what
// phoenix.js puts into one request is a hundred messages, however long they are
// (long_poll.ex, Plug.Conn.read_body).
const maxBatchBody = 8_000_000

// headerPollToken carries the token of a session; older clients send the
// parameter token.
const headerPollToken = "X-Phoenix-Longpoll-Token"

// longPoll answers the requests of long-polling clients (transports/long_poll.ex).
func (s *Server) longPoll(v *visitor) {
	ctx := v.ctx
	h := &ctx.Response.Header
	h.Set("Access-Control-Allow-Origin", "*") // the origin is checked here
	switch {
	case !v.mount.LongPoll:
		// phoenix.js stops at this status, where it would try for ever on others.
		v.mount.tenant.clientFault(v.mount.tenant.log, "client refused", "LONGPOLL_OFF", "mount", v.mount.Path, "key", "mount.longpoll")
		ctx.SetStatusCode(fasthttp.StatusNotFound)
		answerPoll(ctx, pollForbidden, "", nil)
	case !s.allowsOrigin(v):
		answerPoll(ctx, pollForbidden, "", nil)
	case ctx.IsOptions():
		h.SetBytesV("Access-Control-Allow-Headers", ctx.Request.Header.Peek("Access-Control-Request-Headers"))
		h.Set("Access-Control-Allow-Methods", "get, post, options")
		h.Set("Access-Control-Max-Age", "3600")
	case ctx.IsGet():
		s.pollGet(v)
	case ctx.IsPost():
		s.pollPost(v)
	default:
		ctx.SetStatusCode(fasthttp.StatusBadRequest)
	}
}

// pollGet waits for messages of a session, or begins one if the request names
// none that lives. That a session was made is said with 410.
func (s *Server) pollGet(v *visitor) {
	if p := s.pollSession(v); p != nil {
		status, messages := p.poll(func() bool { return hungUp(v.ctx.Conn()) })
		answerPoll(v.ctx, status, p.token, messages)
		return
	}
	if s.draining.Load() {
		refuse(v.ctx, &refusal{status: fasthttp.StatusServiceUnavailable}) // clients try again
		return
	}
	if v.mount.tenant.suspended.Load() != nil {
		v.mount.tenant.refuseSuspended(v)
		return
	}
	if v.mount.takesToken() {
		v.token = string(v.ctx.Request.Header.Peek("X-Phoenix-AuthToken"))
	}
	c, refused := s.admit(v)
	if refused != nil && refused.retry {
		refuse(v.ctx, &refusal{status: refused.status}) // without a body, else phoenix.js would look for a status there
		return
	}
	if refused != nil {
		answerPoll(v.ctx, pollForbidden, "", nil)
		return
	}
	p := newPollSession(newSocket(s, v.mount, c))
	if !p.open() {
		refuse(v.ctx, &refusal{status: fasthttp.StatusServiceUnavailable})
		return
	}
	answerPoll(v.ctx, pollGone, p.token, nil)
}

// pollPost hands a client's messages to its session.
func (s *Server) pollPost(v *visitor) {
	p := s.pollSession(v)
	if p == nil {
		answerPoll(v.ctx, pollGone, "", nil)
		return
	}
	frames, problem := pollFrames(v.ctx)
	if problem != "" {
		p.tenant.clientFault(p.log, "POST refused", "BAD_BATCH", "problem", problem)
		v.ctx.SetStatusCode(fasthttp.StatusBadRequest)
		answerPoll(v.ctx, pollBadRequest, "", nil)
		return
	}
	answerPoll(v.ctx, p.submit(frames), "", nil)
}

// pollSession returns the session whose token the request has, nil if there is
// none. The header wins over the parameter.
func (s *Server) pollSession(v *visitor) *pollSession {
	token := v.ctx.Request.Header.Peek(headerPollToken)
	if len(token) == 0 {
		token = v.ctx.QueryArgs().Peek("token")
	}
	id, ok := s.tokens.verify(string(token), time.Now())
	if !ok {
		return nil
	}
	sock := v.mount.tenant.socket(id)
	if sock == nil || sock.mount != v.mount {
		return nil
	}
	p, _ := sock.link.(*pollSession)
	return p
}

// pollFrames reads a body: with the content type of a batch, and exactly that,
// as lines, else as one text frame.
func pollFrames(ctx *fasthttp.RequestCtx) (frames []postFrame, problem string) {
	body := bytes.Clone(ctx.PostBody()) // the frames are views into it
	if string(ctx.Request.Header.ContentType()) != "application/x-ndjson" {
		return []postFrame{{data: body}}, ""
	}
	return splitBatch(body)
}

// splitBatch splits a batch into its lines, of which those that do not begin with
// [ are binary frames in base64. Empty lines are passed over. A line that is not
// base64 refuses them all, so that the client can send them again.
func splitBatch(body []byte) (frames []postFrame, problem string) {
	number := 0
	for line := range bytes.Lines(body) {
		number++
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case len(line) == 0:
			continue
		case len(frames) == maxBatch:
			return frames, ""
		case line[0] == '[':
			frames = append(frames, postFrame{data: line})
			continue
		}
		data := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
		n, err := base64.StdEncoding.Decode(data, line)
		if err != nil {
			return nil, "line " + strconv.Itoa(number) + " is neither a JSON array nor base64: " + err.Error()
		}
		frames = append(frames, postFrame{data: data[:n], binary: true})
	}
	return frames, ""
}

// answerPoll answers {"status":S}, and with a token the messages, which are JSON
// strings with commas between them.
func answerPoll(ctx *fasthttp.RequestCtx, status pollStatus, token string, messages []byte) {
	body := strconv.AppendInt([]byte(`{"status":`), int64(status), 10)
	if token != "" {
		body = append(append(append(body, `,"token":"`...), token...), `","messages":[`...)
		body = append(append(body, messages...), ']')
	}
	ctx.SetContentType("application/json; charset=utf-8")
	ctx.Response.Header.Set("Cache-Control", "no-store") // the address is the same for all sessions
	ctx.Response.SetBodyRaw(append(body, '}'))
}
