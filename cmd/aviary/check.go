package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/abi/tck"
	"github.com/aviary-host/aviary/cmd/aviary/app"
	"github.com/aviary-host/aviary/cmd/aviary/project"
	"github.com/aviary-host/aviary/plugins"
)

// errBroken tells that a module breaks rules, which have been printed.
var errBroken = errors.New("it does not keep to the ABI")

type checkCmd struct {
	Module string `arg:"" optional:"" type:"path" help:"The module, a .wasm file; default: that of the project here."`
	Topic  string `default:"room:lobby" help:"A topic that it serves."`
	Join   string `default:"{}" placeholder:"JSON" help:"Payload of a join that it accepts."`
	JSON   bool   `name:"json" help:"Print JSON in place of text."`
}

// Run checks the module and prints the report.
func (c *checkCmd) Run(ctx context.Context, out io.Writer) error {
	if !json.Valid([]byte(c.Join)) {
		return fmt.Errorf("--join %s is not JSON", c.Join)
	}
	if c.Module == "" {
		p, err := project.Open(".")
		if err != nil {
			return err
		}
		c.Module = p.Module()
	}
	wasm, err := os.ReadFile(c.Module)
	if err != nil {
		return err
	}
	may, err := manifestBeside(c.Module)
	if err != nil {
		return err
	}
	r, err := tck.Check(ctx, wasm, tck.Options{Topic: c.Topic, Join: c.Join})
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(out, struct {
			*tck.Report
			Capabilities string `json:"capabilities"`
		}{r, may})
	} else {
		err = printReport(out, r, may)
	}
	if err == nil && !r.OK() {
		return fmt.Errorf("%s: %w: %d findings", filepath.Base(c.Module), errBroken, len(r.Findings))
	}
	return err
}

// manifestBeside says what the manifest beside a module wants.
func manifestBeside(module string) (string, error) {
	file := strings.TrimSuffix(module, filepath.Ext(module)) + ".plugin.toml"
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "no manifest: its topics, timers, intercept, log, settings", nil
	}
	if err != nil {
		return "", err
	}
	may, err := app.ParseManifest(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return may.String() + " (" + filepath.Base(file) + ")", nil
}

func printJSON(out io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", text)
	return err
}

func printReport(out io.Writer, r *tck.Report, may string) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s"+format+"\n", append([]any{name}, args...)...)
	}
	line("sha256", "%s", r.Hash)
	line("size", "%d bytes", r.Size)
	line("abi", "version %s; this host: %d.%d", orNone(r.Versions), abi.Version, abi.Revision)
	line("exports", "%s", orNone(names(r.Exports)))
	line("imports", "%s", orNone(names(r.Imports)))
	line("callbacks", "%s", orNone(r.Callbacks))
	line("capabilities", "%s", may)
	line("memory", "%d KiB at the start", r.Memory.Min<<6)
	line("load", "%.1f ms, of which an instance %.2f ms and %d fuel", float64(r.LoadMicros)/1000, float64(r.InstantiateMicros)/1000, r.InitFuel)
	if r.WhyNot != "" {
		line("reset", "none: %s", r.WhyNot)
	} else if r.Reset != "" {
		line("reset", "%s", r.Reset)
	}
	if len(r.Runs) > 0 {
		fmt.Fprintf(&b, "\n%-48s %10s %7s %9s  %s\n", "callback", "fuel", "quota", "us", "answer")
	}
	for _, run := range r.Runs {
		fmt.Fprintf(&b, "%-48s %10d %7s %9d  %s\n", run.Probe, run.Fuel, quota(run.Fuel), run.Micros, run.Answer)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\nnote: %s\n", note)
	}
	b.WriteByte('\n')
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s\n", f)
	}
	if r.OK() {
		b.WriteString("it keeps to abi/SPEC.md, as far as was looked at\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// quota is a callback's share of the fuel that it may have by default.
func quota(fuel int64) string {
	return fmt.Sprintf("%.2f %%", 100*float64(fuel)/float64(plugins.Defaults().Fuel))
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func names(list []tck.Item) []string {
	all := make([]string, len(list))
	for i, item := range list {
		all[i] = item.Name
	}
	return all
}
