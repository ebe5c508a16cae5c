package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aviary-host/aviary/bench/load"
)

// A soak asks for a third of a core, or about that: it is to find what grows and what
// gets lost, not how fast it goes.
const (
	soakConnections = 250
	soakRate        = 50 // broadcasts per second
	soakDeaf        = 2
	soakFlat        = 10 // percent that nothing may grow by
	soakWarmup      = 30 * time.Second
)

// runSoak has a server of ours do everything at once for as long as -soak says.
func (o *options) runSoak(ctx context.Context, out io.Writer) (err error) {
	s, err := startServer(ctx, o.server, o.handlers, "INTERNAL=0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if s.internal == "" {
		return fmt.Errorf("%s does not say where its internal API is", o.server)
	}
	cfg := load.Config{
		URL: s.url, PID: s.pid, InfoURL: "http://" + s.internal + "/api/v1/info", Kind: load.Mixed,
		Connections: soakConnections, Rate: soakRate, Deaf: soakDeaf, Flat: soakFlat,
		Warmup: min(o.soak/4, soakWarmup), Window: o.soak, Progress: load.ProgressOn(os.Stderr),
	}
	if o.quick {
		cfg.Connections, cfg.Flat = soakConnections/10, 0 // too short to say anything
	}
	r, err := load.Run(ctx, cfg)
	if err != nil {
		return err
	}
	if o.json != "" {
		err = writeFile(o.json, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(&r)
		})
	}
	return errors.Join(err, r.Print(out))
}
