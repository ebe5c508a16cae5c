// Package aviarytest runs the handlers of a guest in an ordinary Go test, without
// a server and without WebAssembly. It does what the host would: it carries the
// state from one callback to the next and refuses what abi/SPEC.md forbids.
//
//	func TestChat(t *testing.T) {
//		room := aviarytest.New(t).Join("room:lobby", `{"name":"Ada"}`)
//		got := room.In("new_msg", `{"text":"hi"}`)
//		if want := `broadcast new_msg {"name":"Ada","text":"hi"}` + "\n" + `reply ok {}`; got.String() != want {
//			t.Errorf("got\n%s\nwant\n%s", got, want)
//		}
//	}
//
// The package of the handlers is the package under test, so that its init
// functions have declared them. A [Guest] and its channels belong to one test; they
// are not safe for concurrent use, but tests may run in parallel.
package aviarytest
