package host

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// tokenAge is how long the token of a long-polling session is accepted
// (transports/long_poll.ex, crypto max_age).
const tokenAge = 14 * 24 * time.Hour

// tokens signs and checks the tokens of long-polling sessions. Every server
// with the same secret accepts them.
//
//	base64url( 8 bytes: unix seconds of its end, big-endian | socket id | 32 bytes: HMAC-SHA256 of what is before )
type tokens struct {
	key [sha256.Size]byte
}

// newTokens derives the key from a secret; from a random one if there is none.
func newTokens(secret string) tokens {
	var t tokens
	if secret == "" {
		rand.Read(t.key[:]) // never fails: crypto/rand crashes the process instead
		return t
	}
	t.key = sha256.Sum256([]byte("aviary long polling\x00" + secret))
	return t
}

func (t *tokens) mac(body []byte) []byte {
	h := hmac.New(sha256.New, t.key[:])
	h.Write(body)
	return h.Sum(nil)
}

func (t *tokens) sign(socketID string, now time.Time) string {
	body := binary.BigEndian.AppendUint64(nil, uint64(now.Add(tokenAge).Unix()))
	body = append(body, socketID...)
	return base64.RawURLEncoding.EncodeToString(append(body, t.mac(body)...))
}

// maxToken bounds what verify looks at, in bytes.
const maxToken = 256

// verify returns the socket id of a token that this key has signed and whose
// time is not over.
func (t *tokens) verify(token string, now time.Time) (socketID string, ok bool) {
	if len(token) > maxToken {
		return "", false
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 8+sha256.Size {
		return "", false
	}
	body, mac := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	if !hmac.Equal(mac, t.mac(body)) {
		return "", false
	}
	end := time.Unix(int64(binary.BigEndian.Uint64(body)), 0)
	return string(body[8:]), now.Before(end)
}
