package sdk_test

import (
	"testing"

	"github.com/aviary-host/aviary/sdk"
	"github.com/aviary-host/aviary/sdk/sdktest"
)

// TestSession: the template of every language is the same program. What two clients see of
// it is the same, byte for byte.
func TestSession(t *testing.T) {
	if testing.Short() {
		t.Skip("builds modules")
	}
	languages, err := sdk.Languages()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range languages {
		t.Run(l.Name, func(t *testing.T) {
			sdktest.Play(t, sdktest.Build(t, l.Name), "testdata/session.txt")
		})
	}
}
