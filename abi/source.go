//go:build !wasip1

package abi

import "embed"

// Source returns the Go files of this package, tests among them: `aviary new` copies
// the others beside the Go SDK, which needs them. No guest carries it.
func Source() embed.FS { return source }

//go:embed *.go
var source embed.FS
