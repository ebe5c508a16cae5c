// Package sdktest builds the templates of package sdk and plays the session with what
// comes out, for the tests of all languages.
//
//	module := sdktest.Build(t, "rust")   // skips the test, or fails it in CI, where a tool is missing
//	sdktest.Play(t, module, "testdata/session.txt")
//
// A session is a text of lines: "ada > FRAME" is sent by the client ada, "ada < FRAME" has
// to be the next frame that she gets, byte for byte. Lines that begin with # are comments.
// Where a frame has "phx_ref":"<ref>", any one reference fits: those are random.
package sdktest
