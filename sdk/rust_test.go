package sdk_test

import "testing"

var rust = compiled{name: "rust", guest: "rust/testdata/guest.rs", main: "src/lib.rs", at: "src/lib.rs:"}

func TestRust(t *testing.T) { rust.test(t) }

func TestRustLibrary(t *testing.T) {
	testLibrary(t, "rust", nil, "cargo", "test", "--quiet", "--offline")
}

func BenchmarkRust(b *testing.B) { rust.bench(b) }
