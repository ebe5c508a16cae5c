package module

import "strconv"

// Error says why a module was refused.
type Error struct {
	Offset  int    // in the module, of the byte at or behind the problem
	Section string // such as "code"; empty outside of all
	Func    int    // index of the function, imports counted; -1 outside of all
	Problem string // in plain words, one line
}

// Error describes the refusal in one line, such as
// "code section, function 12: 5000 locals, at most 4096 (byte 301)".
func (e *Error) Error() string {
	var where string
	if e.Section != "" {
		where = e.Section + " section"
	}
	if e.Func >= 0 {
		where += ", function " + strconv.Itoa(e.Func)
	}
	if where != "" {
		where += ": "
	}
	return where + e.Problem + " (byte " + strconv.Itoa(e.Offset) + ")"
}
