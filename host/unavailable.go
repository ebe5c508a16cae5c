package host

import (
	"errors"
	"strconv"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/wire"
)

// unavailable is the error of a handler that could not answer now, though nothing is
// wrong with the channel: nothing has happened, and the same may work later. It is
// found with errors.As; a plugin's breaker, its turns and its quotas have it.
//
// Such a callback fails closed, and the channel stays: a join and an event are
// answered with an error, handle_info and handle_out do not take place and are
// counted, so an intercepted broadcast does not reach the client; terminate is left
// out, and connect is refused with 503.
type unavailable interface {
	error
	Unavailable() (reason string, retryAfter time.Duration)
}

// asUnavailable finds out whether err tells that the handler is unavailable, and
// when to try again.
func asUnavailable(err error) (retryAfter time.Duration, ok bool) {
	if err == nil {
		return 0, false
	}
	var u unavailable // on the heap
	if !errors.As(err, &u) {
		return 0, false
	}
	_, retryAfter = u.Unavailable()
	return max(retryAfter, time.Millisecond), true
}

// isUnavailable tells whether the error of a callback is that the handler is
// unavailable, and if so counts and logs it. Many come at once, so that the log has
// some of them.
func (c *Channel) isUnavailable(cb abi.Callback, err error) (retryAfter time.Duration, ok bool) {
	if retryAfter, ok = asUnavailable(err); ok {
		c.socket.tenant.countUnavailable(c.log(), cb, err)
	}
	return retryAfter, ok
}

// answerUnavailable answers the message of a callback that could not be run. Where
// there is none, nobody is told.
func (c *Channel) answerUnavailable(cb abi.Callback, ref []byte, retryAfter time.Duration) {
	if cb == abi.CallbackHandleIn {
		c.sendReply(ref, wire.StatusError, reasonUnavailable(retryAfter), false)
	}
}

// reasonUnavailable is the response to the client. It does not say why: that is the
// operator's.
func reasonUnavailable(retryAfter time.Duration) []byte {
	dst := append([]byte(nil), `{"reason":"plugin_unavailable","retry_after_ms":`...)
	dst = strconv.AppendInt(dst, roundUp(retryAfter, time.Millisecond), 10)
	return append(dst, '}')
}

// roundUp returns how many units d is, no less.
func roundUp(d, unit time.Duration) int64 { return int64((d-1)/unit) + 1 }
