package host

import (
	"testing"

	"github.com/aviary-host/aviary/presence"
	"github.com/aviary-host/aviary/wire"
)

// A meta that a module may send must be one that other nodes take: one that is refused
// there would hold up all that its node has to tell.
func TestMetasAreAsDeepThereAsHere(t *testing.T) {
	if presence.MaxMetaDepth != wire.MaxDepth {
		t.Errorf("a presence's meta may be %d deep, JSON from a module %d", presence.MaxMetaDepth, wire.MaxDepth)
	}
}
