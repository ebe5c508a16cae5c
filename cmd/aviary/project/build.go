package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// killAfter is how long a command that ctx has ended may hold on to its output.
const killAfter = time.Second

// maxOutput is how much of what a command says is kept for a BuildError, in bytes: the
// beginning, where compilers say what is wrong.
const maxOutput = 64 << 10

// BuildError says which command of a build failed.
type BuildError struct {
	Command string // as it would be typed
	Output  string // what it said, at most 64 KiB
	Err     error  // its end
}

// Error describes the failure in a line; Output is for those who show more.
func (e *BuildError) Error() string { return e.Command + ": " + e.Err.Error() }

// Unwrap returns how the command ended.
func (e *BuildError) Unwrap() error { return e.Err }

// ToolError says which tool is missing, and how to get it.
type ToolError struct {
	Command string
	Install string
}

// Error describes what is missing in a line.
func (e *ToolError) Error() string {
	return e.Command + " is not in the PATH: " + e.Install
}

// CheckTools tells whether the tools of the project are there. The error is a [*ToolError].
func (p *Project) CheckTools() error {
	for _, tool := range p.File.Tools {
		if _, err := exec.LookPath(tool.Command); err != nil {
			return &ToolError{tool.Command, tool.Install}
		}
	}
	return nil
}

// Build makes the module, and runs the setup first where that was not done. What commands
// say is written to out as they say it, which may be nil. The error is a [*ToolError] or a
// [*BuildError], unless the module is not there in the end.
func (p *Project) Build(ctx context.Context, out io.Writer) error {
	if err := p.CheckTools(); err != nil {
		return err
	}
	if out == nil {
		out = io.Discard
	}
	if !p.isSetUp() {
		if err := p.runAll(ctx, p.File.Setup, out); err != nil {
			return err
		}
	}
	if err := p.runAll(ctx, p.File.Build, out); err != nil {
		return err
	}
	if _, err := os.Stat(p.Module()); err != nil {
		return fmt.Errorf("the build went well but made no %s (output in aviary.json): %w", p.File.Output, err)
	}
	return nil
}

// isSetUp tells whether the setup was done, or there is none.
func (p *Project) isSetUp() bool {
	if len(p.File.Setup) == 0 {
		return true
	}
	_, err := os.Stat(filepath.Join(p.Dir, filepath.FromSlash(p.File.SetupDone)))
	return p.File.SetupDone != "" && !errors.Is(err, fs.ErrNotExist)
}

func (p *Project) runAll(ctx context.Context, commands [][]string, out io.Writer) error {
	for _, command := range commands {
		if err := p.run(ctx, command, out); err != nil {
			return err
		}
	}
	return nil
}

func (p *Project) run(ctx context.Context, command []string, out io.Writer) error {
	settings, argv := environment(command)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), settings...)
	cmd.WaitDelay = killAfter
	said := &head{}
	both := io.MultiWriter(said, out)
	cmd.Stdout, cmd.Stderr = both, both
	if err := cmd.Run(); err != nil {
		return &BuildError{Command: strings.Join(command, " "), Output: said.String(), Err: err}
	}
	return nil
}

// head keeps the beginning of what is written to it.
type head struct{ bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	room := max(maxOutput-h.Len(), 0)
	_, err := h.Buffer.Write(p[:min(len(p), room)])
	return len(p), err
}
