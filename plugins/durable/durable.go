// Package durable reads and writes small files that have to outlast a crash.
//
// The verbs are [Read], [Write] and [SyncDir]. Whoever replaces a file writes another
// beside it, renames it, and syncs the directory: then a crash at any point leaves the old
// file or the new one, whole. All of them block on the disk; they share nothing and may be
// called from any goroutine.
package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// FileMode is the mode of files that Write makes: nobody else reads them.
const FileMode = 0o600

// TooLongError tells that a file has more bytes than it may.
type TooLongError struct{ Limit int64 }

// Error describes the problem in one line.
func (e *TooLongError) Error() string { return fmt.Sprintf("it is over %d bytes", e.Limit) }

// Read reads a file that has no more than limit bytes; else the error is a
// [*TooLongError].
func Read(path string, limit int64) (text []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	text, err = io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = &TooLongError{limit}
	}
	return text, err
}

// Write makes a file of text, in the place of one that is there, and returns when it is on
// the disk. Its name is when SyncDir has returned.
func Write(path string, text []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, FileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := file.Chmod(FileMode); err != nil { // one that is left from before may have another
		return err
	}
	if _, err := file.Write(text); err != nil {
		return err
	}
	return file.Sync()
}

// SyncDir returns when the names in a directory are on the disk.
func SyncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}
