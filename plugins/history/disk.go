package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aviary-host/aviary/plugins/durable"
)

const dirMode = 0o700

// disk is what a Store does with files; tests make each of its steps fail.
type disk interface {
	reader

	// mkdir makes a directory, and those above it, and has them on the disk.
	mkdir(dir string) error
	// write returns when text is on the disk.
	write(path string, text []byte) error
	// rename puts a file into the place of another, and has that on the disk.
	rename(from, to string) error
}

// reader is the part of disk that changes nothing that is needed.
type reader interface {
	// read returns a file of no more than limit bytes.
	read(path string, limit int64) ([]byte, error)
	// clean removes the files of a directory that are not to be kept.
	clean(dir string, keep func(name string) bool) error
}

// realDisk is that of the system.
type realDisk struct{}

var _ disk = realDisk{}

func (realDisk) mkdir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	// The two above may be new as well.
	return errors.Join(durable.SyncDir(filepath.Dir(dir)), durable.SyncDir(filepath.Dir(filepath.Dir(dir))))
}

func (realDisk) read(path string, limit int64) ([]byte, error) {
	text, err := durable.Read(path, limit)
	if long := (*durable.TooLongError)(nil); errors.As(err, &long) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return text, err
}

func (realDisk) write(path string, text []byte) error { return durable.Write(path, text) }

func (realDisk) rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(to))
}

func (realDisk) clean(dir string, keep func(name string) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !keep(e.Name()) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
