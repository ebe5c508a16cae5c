package app

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host"
)

func TestSuspensionFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	f, err := openSuspensions(dir)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := f.Load(); err != nil || len(kept) > 0 {
		t.Errorf("a new directory holds %v, %v", kept, err)
	}
	since := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	all := []host.Suspension{{Tenant: "acme", Reason: "two\nlines \"quoted\" \u2028", Since: since}, {Tenant: "b", Since: since}}
	if err := os.WriteFile(f.path()+".next", []byte("left by a crash"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]host.Suspension{all, all[:1], {}} {
		if err := f.Save(want); err != nil {
			t.Fatal(err)
		}
		again, err := openSuspensions(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.Load(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, f.path(): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", path, info.Mode(), err, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the directory holds %v, %v", left, err)
	}
}

// TestSaveFailsWhole: what cannot be written leaves what was there.
func TestSaveFailsWhole(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := openSuspensions(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Save([]host.Suspension{{Tenant: "acme", Since: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(f.path()+".next", 0o700); err != nil { // stands in the way
		t.Fatal(err)
	}
	if err := f.Save(nil); err == nil || !strings.Contains(err.Error(), "data_dir: ") {
		t.Errorf("error %v", err)
	}
	if again, err := openSuspensions(dir); err != nil || len(again.kept) != 1 {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestDecodeSuspensionsRefuses(t *testing.T) {
	const one = `{"tenant":"a","reason":"","since":"2026-01-02T03:04:05Z"}`
	for text, want := range map[string]string{
		`null`:                             "its version is 0, this server reads 1",
		`[]`:                               "it is not whole",
		`{"version":2,"suspended":[]}`:     "its version is 2, this server reads 1",
		`{"version":1}`:                    "suspended is missing",
		`{"version":1,"suspended":null}`:   "suspended is missing",
		`{"version":1,"suspendet":[]}`:     `unknown field "suspendet"`,
		`{"version":1,"suspended":[]} x`:   "1 bytes follow the JSON object",
		`{"version":1,"suspended":[{}]}`:   "suspended[0]: tenant is missing",
		`{"version":1,"suspended":["a"]}`:  "it is not whole",
		`{"version":1,"suspended":[` + one: "it is not whole",
		`{"version":1,"suspended":[` + one + `,` + one + `]}`:   `suspended[1]: tenant "a" is there twice`,
		`{"version":1,"suspended":[{"tenant":"a"}]}`:            "suspended[0]: since is missing",
		`{"version":1,"suspended":[{"tenant":"a","since":12}]}`: "it is not whole",
	} {
		if got, err := decodeSuspensions([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %q", text, got, err, want)
		}
	}
}

// FuzzDecodeSuspensions: what is accepted is written and read again as the same.
func FuzzDecodeSuspensions(f *testing.F) {
	f.Add([]byte(`{"version":1,"suspended":[]}`))
	f.Add([]byte(`{"version":1,"suspended":[{"tenant":"a","reason":"\ud800","since":"2026-01-02T03:04:05+01:00"}]}`))
	f.Add([]byte("{\"version\":1,\"suspended\":[{\"tenant\":\"a\xff\",\"reason\":\"\",\"since\":\"2026-01-02T03:04:05Z\"}]}\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := decodeSuspensions(text)
		if err != nil {
			return
		}
		again, err := decodeSuspensions(encodeSuspensions(all))
		if err != nil || len(again) != len(all) {
			t.Fatalf("%v, %v, was %v", again, err, all)
		}
		for i := range all {
			if all[i].Tenant != again[i].Tenant || all[i].Reason != again[i].Reason || !all[i].Since.Equal(again[i].Since) {
				t.Fatalf("%v, was %v", again[i], all[i])
			}
		}
	})
}
