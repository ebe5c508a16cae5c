package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/aviary-host/aviary/cmd/aviary/play"
	"github.com/aviary-host/aviary/plugins/traps"
)

// errReplay tells that the callback fails again, which has been printed.
var errReplay = errors.New("it fails again")

type replayCmd struct {
	Record string `arg:"" type:"existingfile" help:"The record of a failure, a file in traps/ of the server's data_dir, which needs trap_payloads = true."`
	moduleFlags
	Save bool `help:"Make it a case: tests/NAME.json of the project, NAME being the record's."`
}

// Run runs a recorded callback again: the same request, state, time and seed, under the
// same limits.
func (c *replayCmd) Run(ctx context.Context, out io.Writer) (err error) {
	text, err := os.ReadFile(c.Record)
	if err != nil {
		return err
	}
	record, err := traps.Decode(text)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Record, err)
	}
	found, req, err := play.FromRecord(record)
	if err != nil {
		return fmt.Errorf("%s: %w (plugin.trap_payloads)", c.Record, err)
	}
	file, served, err := c.find(ctx, out)
	if err != nil {
		return err
	}
	cfg := play.Limits(record)
	cfg.Settings, cfg.Secrets = served.Settings, served.Secrets
	m, err := loadModule(ctx, file, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := printRecord(out, record, m.Hash(), &found.Steps[0]); err != nil {
		return err
	}
	outcome := m.Run(req)
	if _, err := io.WriteString(out, "now:\n"+outcome.Describe(record.Callback, m.Quota())); err != nil {
		return err
	}
	if c.Save {
		if err := c.save(out, found, outcome); err != nil {
			return err
		}
	}
	if outcome.Err != nil {
		return fmt.Errorf("%s: %w", record.Callback, errReplay)
	}
	return nil
}

// printRecord prints what failed, with what.
func printRecord(out io.Writer, r *traps.Record, hash string, step *play.Step) error {
	version := "the same module"
	if hash != r.Module {
		version = "module " + r.Module[:12] + ", this is " + hash[:12]
	}
	_, err := fmt.Fprintf(out, "then, %s, %s:\n%s of plugin %s failed: %s: %s\n", r.Time.Format("2006-01-02 15:04:05"), version, r.Callback, r.Plugin, r.Kind, r.Message)
	if err == nil && step.Event != "" {
		_, err = fmt.Fprintf(out, "event %s, payload %s\n", step.Event, step.Payload)
	}
	return err
}

// save writes the case, which expects what the callback answers now, or, while it fails,
// only that it does not.
func (c *replayCmd) save(out io.Writer, found *play.Case, outcome *play.Outcome) error {
	if outcome.Answer != nil {
		found.Steps[0].Expect = &play.Expect{Answer: *outcome.Answer}
	}
	text, err := found.Encode()
	if err != nil {
		return err
	}
	dir := filepath.Join(c.Dir, "tests")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, strings.TrimSuffix(filepath.Base(c.Record), ".json")+".json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "saved as %s\n", file)
	return err
}
