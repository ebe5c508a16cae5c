package history

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
)

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
	return errors.Join(syncDir(filepath.Dir(dir)), syncDir(filepath.Dir(filepath.Dir(dir))))
}

func (realDisk) read(path string, limit int64) (text []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	text, err = io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%w: it is over %d bytes", ErrDamaged, limit)
	}
	return text, err
}

func (realDisk) write(path string, text []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(text); err != nil {
		return err
	}
	return file.Sync()
}

func (realDisk) rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// syncDir puts the names in a directory on the disk.
func syncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
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
