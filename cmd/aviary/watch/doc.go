// Package watch tells when files have changed.
//
//	w, err := watch.New(pause, onChange)
//	err = w.Add("room.wasm")
//	...
//	err = w.Close()
//
// What is watched is the directory of a file, so that a file may be replaced by a rename, be
// away for a while, or lie behind a link that is turned to another directory. A change is
// told when for a pause nothing more has happened in the directory: compilers write a file
// in many pieces. What is told is that the file is another one than it was when it was last
// told of, by its place, size and time.
//
// The methods may be called from any goroutine. onChange is called from one goroutine,
// which Close waits for.
package watch
