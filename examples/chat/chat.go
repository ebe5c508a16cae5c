// Package chat is the demo: a chat page that uses the official phoenix.js
// client (page/), and the channel logic behind it (guest/, compiled to
// module/chat.wasm by `make guests`) with its manifest, all embedded.
package chat

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

//go:embed page
var pages embed.FS

//go:embed module
var module embed.FS

// ErrNoModule tells that the binary was built without the guest.
var ErrNoModule = errors.New("this binary was built without the demo's module: use `make build`, which compiles it first")

// Pages returns the page's files, index.html at the root.
func Pages() (fs.FS, error) { return fs.Sub(pages, "page") }

// Manifest returns what the module may do, a fresh copy.
func Manifest() ([]byte, error) {
	text, err := module.ReadFile("module/chat.plugin.toml")
	if err != nil {
		return nil, fmt.Errorf("embedded manifest: %w", err)
	}
	return text, nil
}

// Module returns the compiled guest, a fresh copy.
func Module() ([]byte, error) {
	wasm, err := module.ReadFile("module/chat.wasm")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoModule
	}
	if err != nil {
		return nil, fmt.Errorf("embedded module: %w", err)
	}
	return wasm, nil
}
