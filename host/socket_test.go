package host

import (
	"context"
	"testing"

	"github.com/aviary-host/aviary/wire"
)

// brief is a link that ends as soon as it is told to.
type brief struct{ depart func() }

func (brief) push(bool, []byte)    {}
func (brief) pushShared(*encoded)  {}
func (b brief) hangUp(f *farewell) { go b.depart() }
func (brief) abort()               {}

// TestDrainMeetsAnArrivingSocket: a socket that is told to end while it arrives
// leaves no subscription behind.
func TestDrainMeetsAnArrivingSocket(t *testing.T) {
	for range 200 {
		s, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		sock := newSocket(s, &s.cfg.Mounts[0], &connected{version: wire.Version2, socketID: newSocketID(), idTopic: "users:ada"})
		sock.link = brief{sock.depart}
		arrived := make(chan bool)
		go func() { arrived <- sock.arrive() }()
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if <-arrived && s.home().pubsub.Topics() != 0 {
			t.Fatal("the subscription outlives the socket")
		}
	}
}
