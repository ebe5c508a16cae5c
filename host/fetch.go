package host

import (
	"fmt"

	"github.com/aviary-host/aviary/abi"
)

// maxExtra bounds what presence_fetch answers, in bytes (SPEC.md section 3.8).
const maxExtra = 4 << 10

// fetches tells whether what an effect tracks is enriched by presence_fetch.
func fetches(e *abi.Effect) bool {
	return (e.Kind == abi.EffectPresenceTrack || e.Kind == abi.EffectPresenceUpdate) && len(e.Key) > 0
}

// fetch asks the handler what is to stand beside the metas of the presences that an answer
// tracks, before anything of it has happened. It is kept until the effects do.
func (c *Channel) fetch(h Handler, r *abi.Response) error {
	if c.rare != nil {
		c.rare.extras = nil
	}
	for i := range r.Effects {
		e := &r.Effects[i]
		if !fetches(e) {
			continue
		}
		if !h.Implements(abi.CallbackPresenceFetch) {
			return nil
		}
		extra, err := c.fetchOne(h, e)
		if err != nil {
			return fmt.Errorf("%s %w", effectName(i, e), err)
		}
		c.more().extras = append(c.rare.extras, extra)
	}
	return nil
}

func (c *Channel) fetchOne(h Handler, e *abi.Effect) ([]byte, error) {
	b := c.socket.srv.scratch.Get().(*scratch)
	defer c.socket.srv.release(b)
	req := c.request(b, abi.CallbackPresenceFetch)
	req.Event, req.Source, req.Payload = []byte(c.topicOf(e)), e.Key, cloneOrEmpty(e.Payload)
	resp, err := c.socket.srv.call(h, b, c.detach)
	if err != nil {
		return nil, fmt.Errorf("presence_fetch: %w", err)
	}
	problem := objectProblem(resp.Payload, false)
	switch {
	case resp.Binary:
		problem = "payload is raw bytes, what stands beside metas is a JSON object"
	case len(resp.Payload) > maxExtra:
		problem = fmt.Sprintf("payload has %d bytes, over the limit of %d", len(resp.Payload), maxExtra)
	}
	if problem != "" {
		return nil, &OutputError{Field: "presence_fetch:", Problem: problem}
	}
	for i := range resp.Effects { // log lines
		c.socket.tenant.logEffect(c.log, &resp.Effects[i])
	}
	if len(resp.Payload) == 0 {
		return nil, nil
	}
	return cloneOrEmpty(resp.Payload), nil
}

// extraOf takes what was fetched for an effect; they come in the order in which it was.
func (c *Channel) extraOf(e *abi.Effect) []byte {
	if c.rare == nil || len(c.rare.extras) == 0 || !fetches(e) {
		return nil
	}
	extra := c.rare.extras[0]
	c.rare.extras = c.rare.extras[1:]
	return extra
}

// fetched is how many bytes were fetched.
func (r *rarities) fetched() (n int64) {
	for _, extra := range r.extras {
		n += int64(len(extra))
	}
	return n
}
