package abi

import "strconv"

// FormatError reports a request or response that breaks SPEC.md. Field names
// the offending part as the specification spells it, Section where it is
// specified; Value and Limit are set where a number was out of bounds.
type FormatError struct {
	Section string // of SPEC.md, such as "4.1"
	Field   string // such as "effects[3].payload"
	Problem string // such as "ends past the response"
	Value   int64  // the offending number, if HasValue
	Limit   int64  // the largest number allowed, if HasValue

	HasValue bool
}

// Error describes the problem in one line, such as
// "effects[3].payload ends past the response: 900 > 512 (SPEC 4.1)".
func (e *FormatError) Error() string {
	s := e.Field + " " + e.Problem
	if e.HasValue {
		s += ": " + strconv.FormatInt(e.Value, 10) + " > " + strconv.FormatInt(e.Limit, 10)
	}
	return s + " (SPEC " + e.Section + ")"
}

func malformed(section, field, problem string) *FormatError {
	return &FormatError{Section: section, Field: field, Problem: problem}
}

// over adds the numbers to a problem with a size.
func (e *FormatError) over(value, limit int) *FormatError {
	e.Value, e.Limit, e.HasValue = int64(value), int64(limit), true
	return e
}

// small words a size under what this revision needs.
func small(size, need int) string {
	return "of " + itoa(size) + " bytes is under this revision's " + itoa(need)
}

func itoa(i int) string { return strconv.Itoa(i) }
