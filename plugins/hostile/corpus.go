package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Attack is a guest that attacks its host.
type Attack struct {
	Name string // of its file, without .wat
	Does string // in words

	// Error is how the error that ends it begins, without the plugin's name; empty
	// if nothing is wrong with what it does.
	Error string

	AtLoad bool // it attacks while it is loaded
	ByHost bool // its plugin finds nothing wrong; the host does, which knows more
	Wasm   []byte
}

// Marks in the last column of the README.
const (
	noError = "none"
	atLoad  = "at load: "
	byHost  = "by the host: "
)

// Corpus reads the guests of a directory, as its README.md lists them. The error names
// a guest without a row, or a row without a guest.
func Corpus(dir string) ([]Attack, error) {
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		return nil, err
	}
	var found []Attack
	listed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		a, ok := row(line)
		if !ok {
			continue
		}
		if a.Wasm, err = os.ReadFile(filepath.Join(dir, a.Name+".wasm")); err != nil {
			return nil, fmt.Errorf("listed in README.md: %w", err)
		}
		listed[a.Name] = true
		found = append(found, a)
	}
	return found, complete(dir, listed)
}

// row reads a row of the table: | `name` | what it does | what stops it | `error` |.
func row(line string) (a Attack, ok bool) {
	cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
	if len(cells) != 4 || !strings.HasPrefix(strings.TrimSpace(cells[0]), "`") {
		return a, false
	}
	for i := range cells {
		cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
	}
	a.Name, a.Does, a.Error = cells[0], cells[1], cells[3]
	a.Error, a.AtLoad = strings.CutPrefix(a.Error, atLoad)
	a.Error, a.ByHost = strings.CutPrefix(a.Error, byHost)
	if a.Error == noError {
		a.Error = ""
	}
	return a, true
}

// complete checks that each source of a directory is listed and assembled, and each
// module has a source.
func complete(dir string, listed map[string]bool) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.wa[st]*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		ext := filepath.Ext(file)
		other := map[string]string{".wat": ".wasm", ".wasm": ".wat"}[ext]
		if _, err := os.Stat(strings.TrimSuffix(file, ext) + other); err != nil {
			return fmt.Errorf("%s stands alone: %w", file, err)
		}
		if !listed[strings.TrimSuffix(filepath.Base(file), ext)] {
			return fmt.Errorf("%s is not in the table of README.md", file)
		}
	}
	return nil
}
