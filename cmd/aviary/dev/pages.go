package dev

import (
	"bytes"
	"embed"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

//go:embed page
var page embed.FS

const (
	playground = "playground" // the directory under which it is served
	stateFile  = playground + "/state.json"
	vendored   = "vendor/"

	notHere = "index.html" // of a project that has no page of its own
)

// pages are what the server serves beside its mounts: the project's own page/, if it has
// one, and the playground.
type pages struct {
	own    fs.FS // nil if the project has none
	client fs.FS // with the client library in vendor/
	state  func() ([]byte, error)
}

// Open implements fs.FS.
func (p *pages) Open(name string) (fs.File, error) {
	if name == stateFile {
		text, err := p.state()
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return &memory{Reader: bytes.NewReader(text), name: name}, nil
	}
	rest, ours := strings.CutPrefix(name, playground)
	if !ours && p.own != nil {
		return p.own.Open(name)
	}
	if !ours && name == notHere {
		ours = true
	}
	rest = strings.TrimPrefix(rest, "/")
	switch {
	case !ours:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case rest == "":
		rest = notHere
	case strings.HasPrefix(rest, vendored):
		return p.client.Open(rest)
	}
	return page.Open("page/" + rest)
}

// projectPage returns the page/ of a project, nil if it has none.
func projectPage(dir string) fs.FS {
	at := os.DirFS(dir)
	if _, err := fs.Stat(at, "page/index.html"); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	own, err := fs.Sub(at, "page")
	if err != nil {
		return nil
	}
	return own
}

// memory is a file that was made when it was opened.
type memory struct {
	*bytes.Reader
	name string
}

var _ io.Reader = (*memory)(nil)

// Stat implements fs.File.
func (m *memory) Stat() (fs.FileInfo, error) { return info{m}, nil }

// Close implements fs.File.
func (*memory) Close() error { return nil }

// info is what there is to know of such a file.
type info struct{ m *memory }

func (i info) Name() string     { return i.m.name }
func (i info) Size() int64      { return i.m.Size() }
func (info) Mode() fs.FileMode  { return 0o444 }
func (info) ModTime() time.Time { return time.Time{} }
func (info) IsDir() bool        { return false }
func (info) Sys() any           { return nil }
