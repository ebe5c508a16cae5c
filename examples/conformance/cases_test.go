package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The cases that Phoenix's own tests make of its sockets, serializers and
// channels are numbered from 1 to lastCase; the name of a test begins with the
// numbers of those that it covers.
const lastCase = 89

// exceptions is where the cases without a test are listed, each with a reason.
const (
	exceptions        = "../../docs/compatibility.md"
	exceptionsHeading = "## Cases without a test here"
)

func TestEveryCaseIsTestedOrExcused(t *testing.T) {
	tested, excused := testedCases(t), excusedCases(t)
	for n := 1; n <= lastCase; n++ {
		switch name, reason := tested[n], excused[n]; {
		case name == "" && reason == "":
			t.Errorf("case %d has no test, and no reason for that in %s", n, exceptions)
		case name != "" && reason != "":
			t.Errorf("case %d has a test, %s: take it out of %q in %s", n, name, exceptionsHeading, exceptions)
		}
	}
}

// testedCases returns the name of a test by the number of each case in it.
func testedCases(t *testing.T) map[int]string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[int]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				addCases(tested, f.Name.Name)
			}
		}
	}
	return tested
}

// addCases adds the cases of Test26_60_BytesBothWays.
func addCases(tested map[int]string, name string) {
	rest, ok := strings.CutPrefix(name, "Test")
	for ok {
		var number string
		number, rest, ok = strings.Cut(rest, "_")
		n, err := strconv.Atoi(number)
		if err != nil {
			return
		}
		tested[n] = name
	}
}

// A row of the table: numbers and ranges of them, and a reason.
var exceptionRow = regexp.MustCompile(`^\| ([0-9][0-9, -]*) \| (\S.*) \|$`)

// excusedCases returns the reason of each case that needs no test.
func excusedCases(t *testing.T) map[int]string {
	t.Helper()
	text, err := os.ReadFile(exceptions)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), exceptionsHeading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", exceptions, exceptionsHeading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	excused := map[int]string{}
	for line := range strings.Lines(section) {
		row := exceptionRow.FindStringSubmatch(strings.TrimSpace(line))
		if row == nil {
			continue
		}
		for _, part := range strings.Split(row[1], ", ") {
			first, last := caseRange(t, part)
			for n := first; n <= last; n++ {
				excused[n] = row[2]
			}
		}
	}
	return excused
}

// caseRange reads "16" or "37-47".
func caseRange(t *testing.T, text string) (first, last int) {
	t.Helper()
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	first, err := strconv.Atoi(from)
	if err == nil {
		last, err = strconv.Atoi(to)
	}
	if err != nil || last < first {
		t.Fatalf("%s: %q is no case, nor a range of them", exceptions, text)
	}
	return first, last
}
