package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/plugins/durable"
)

const (
	suspensionsName = "tenants.json" // in data_dir
	dataDirMode     = 0o700

	// suspensionsVersion is that of the file's form.
	suspensionsVersion = 1
	// maxSuspensions bounds the file, in bytes: some thousand tenants with the
	// longest of reasons.
	maxSuspensions = 8 << 20
)

// suspensionFile keeps which tenants are suspended in a file of data_dir. It is
// a host.SuspensionStore.
type suspensionFile struct {
	dir  string
	kept []host.Suspension // as it was when the file was opened
}

// suspensionsJSON is the form of the file.
type suspensionsJSON struct {
	Version   int              `json:"version"`
	Suspended []suspensionJSON `json:"suspended"`
}

type suspensionJSON struct {
	Tenant string    `json:"tenant"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// suspensionStore opens what keeps suspended tenants; nil where nothing does.
func suspensionStore(dataDir string) (host.SuspensionStore, error) {
	if dataDir == "" {
		return nil, nil
	}
	return openSuspensions(dataDir)
}

// openSuspensions makes dir if there is none, and reads the file. It refuses a
// directory that others may write to or read, and a file that is not wholly as
// it was written: whoever was suspended must not come back because a disk was
// full.
func openSuspensions(dir string) (*suspensionFile, error) {
	if err := os.MkdirAll(dir, dataDirMode); err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("data_dir: %w", err)
	case info.Mode().Perm()&^dataDirMode != 0:
		return nil, fmt.Errorf("data_dir: %s has mode %#o, which lets others in; chmod %o it", dir, info.Mode().Perm(), dataDirMode)
	}
	f := &suspensionFile{dir: dir}
	text, err := durable.Read(f.path(), maxSuspensions)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		f.kept, err = decodeSuspensions(text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; put it right, or remove it if no tenant is to be suspended", f.path(), err)
	}
	return f, nil
}

func (f *suspensionFile) path() string { return filepath.Join(f.dir, suspensionsName) }

// Load returns what the file held when it was opened.
func (f *suspensionFile) Load() ([]host.Suspension, error) { return f.kept, nil }

// Save writes the file anew: beside the old one, and in its place only when all
// of it is on the disk.
func (f *suspensionFile) Save(all []host.Suspension) error {
	next := f.path() + ".next"
	err := durable.Write(next, encodeSuspensions(all))
	if err == nil {
		err = os.Rename(next, f.path())
	}
	if err == nil {
		err = durable.SyncDir(f.dir)
	}
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	return nil
}

func encodeSuspensions(all []host.Suspension) []byte {
	out := suspensionsJSON{Version: suspensionsVersion, Suspended: []suspensionJSON{}}
	for _, sp := range all {
		out.Suspended = append(out.Suspended, suspensionJSON(sp))
	}
	text, err := json.MarshalIndent(out, "", "\t")
	if err != nil {
		panic(err) // texts and times that came from JSON or the clock
	}
	return append(text, '\n')
}

// decodeSuspensions reads what encodeSuspensions wrote, and nothing else.
func decodeSuspensions(text []byte) ([]host.Suspension, error) {
	var in suspensionsJSON
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, fmt.Errorf("it is not whole: %w", err)
	}
	if rest := bytes.TrimSpace(text[dec.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes follow the JSON object", len(rest))
	}
	switch {
	case in.Version != suspensionsVersion:
		return nil, fmt.Errorf("its version is %d, this server reads %d", in.Version, suspensionsVersion)
	case in.Suspended == nil:
		return nil, errors.New("suspended is missing")
	}
	all := make([]host.Suspension, len(in.Suspended))
	for i, sp := range in.Suspended {
		same := func(other suspensionJSON) bool { return other.Tenant == sp.Tenant }
		switch {
		case sp.Tenant == "":
			return nil, fmt.Errorf("suspended[%d]: tenant is missing", i)
		case sp.Since.IsZero():
			return nil, fmt.Errorf("suspended[%d]: since is missing", i)
		case slices.ContainsFunc(in.Suspended[:i], same):
			return nil, fmt.Errorf("suspended[%d]: tenant %q is there twice", i, sp.Tenant)
		}
		all[i] = host.Suspension(sp)
	}
	return all, nil
}
