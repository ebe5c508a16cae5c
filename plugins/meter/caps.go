package meter

import "github.com/aviary-host/aviary/plugins/module"

// Caps returns the caps within which a metered module has to be, if the guest's had
// to be within c. They leave room for what is added, but not where a compiler's time
// grows faster than a function: basic blocks, their product with locals, and the steps
// from one to another.
// Each place where fuel is looked at is a branch, so that what is within c may well
// be over these.
func Caps(c module.Caps) module.Caps {
	c.Module *= 2
	c.Types *= 2
	c.AllParams *= 2
	c.Imports++
	c.Functions += 3
	c.Exports += 4 + c.Globals
	c.Globals += 3
	c.Body *= 4
	c.Locals += 2
	c.AllLocals += 2 * c.Functions
	c.Depth += 2 // the block around a body, and a branch within it
	c.Passed *= 2
	c.Instructions *= 2
	return c
}
