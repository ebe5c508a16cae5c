package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
)

// Many clients, keys that rotate both ways, time that passes and a Close in the
// end: a token of the key that never goes is always good, others are good or
// unknown, and the race detector looks on.
func TestManyAtOnce(t *testing.T) {
	stays, goes := ecKey(), rsaKey()
	sets := [2]string{
		jwks(stays.jwk(`"kid":"stays"`)),
		jwks(goes.jwk(`"kid":"goes"`), stays.jwk(`"kid":"stays"`)),
	}
	t.Run("URL", func(t *testing.T) {
		s := serveKeys(t, text(sets[0]))
		v, ck, _ := openURL(t, s)
		hammer(t, v, ck, func(i int) { s.set(text(sets[i%2])) })
	})
	t.Run("file", func(t *testing.T) {
		c := base("RS256", "ES256")
		c.JWKSFile = file(t, sets[0])
		v, ck := open(t, c)
		hammer(t, v, ck, func(i int) { replace(t, c.JWKSFile, sets[i%2]) })
	})
}

func hammer(t *testing.T, v *Verifier, ck *fakeClock, rotate func(i int)) {
	t.Helper()
	stays, goes := ecKey().keyed("stays"), rsaKey().keyed("goes")
	const rounds = 40
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range rounds {
				if _, err := v.Verify(t.Context(), stays); err != nil {
					t.Errorf("the key that stays: %v", err)
				}
				if _, err := v.Verify(t.Context(), goes); err != nil && !errors.Is(err, ErrUnknownKey) {
					t.Errorf("the key that goes: %v", err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err := v.Verify(ctx, ecKey().keyed(fmt.Sprint(w, i))); !errors.Is(err, ErrUnknownKey) {
					t.Errorf("no such key: %v", err)
				}
			}
		})
	}
	all.Go(func() {
		for i := range rounds {
			rotate(i)
			ck.advance(minFetchGap)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	all.Wait()
}
