package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/aviary-host/aviary/bench/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	server, floor string
	handlers      string
	url           string
	pid           int
	run           string
	rounds        int
	window        time.Duration
	quick         bool
	json          string
	report, from  string
	soak          time.Duration
}

func parseOptions(args []string) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.server, "server", "bin/bench-server", "`program` built from examples/bench")
	f.StringVar(&o.floor, "floor", "bin/bench-floor", "`program` built from bench/floor")
	f.StringVar(&o.handlers, "handlers", floor+","+baseline+",c,rust,go", "handlers to compare, of floor, native, c, rust and go")
	f.StringVar(&o.url, "url", "", "measure the server running at `ws://host:port/path` instead")
	f.IntVar(&o.pid, "pid", 0, "process of -url, for its CPU and memory")
	f.StringVar(&o.run, "run", "", "only scenarios whose name matches this `regexp`")
	f.IntVar(&o.rounds, "rounds", 3, "rounds, of which the median counts")
	f.DurationVar(&o.window, "duration", 3*time.Second, "measured time of each run")
	f.BoolVar(&o.quick, "quick", false, "one round of 0.3 s with a tenth of the connections: does it work at all?")
	f.StringVar(&o.json, "json", "", "also write the report to `file`")
	f.StringVar(&o.report, "report", "", "also write the report as Markdown to `file`")
	f.StringVar(&o.from, "from", "", "run nothing, and take what -json wrote to `file`")
	f.DurationVar(&o.soak, "soak", 0, "soak one handler for `so long` instead")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.quick {
		o.rounds, o.window = 1, 300*time.Millisecond
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.rounds < 1:
		return o, fmt.Errorf("-rounds %d is less than one", o.rounds)
	case o.window <= 0:
		return o, fmt.Errorf("-duration %s is not positive", o.window)
	case o.soak < 0:
		return o, fmt.Errorf("-soak %s is negative", o.soak)
	case o.soak > 0 && (o.url != "" || strings.Contains(o.handlers, ",")):
		return o, fmt.Errorf("-soak goes with one of our handlers, not with -handlers %s or a -url", o.handlers)
	case o.pid != 0 && o.url == "":
		return o, errors.New("-pid goes with -url")
	}
	return o, nil
}

func (o *options) plan() (*plan, error) {
	chosen, err := choose(scenarios(o.quick), o.run)
	if err != nil {
		return nil, err
	}
	p := &plan{
		serverPath: o.server, floorPath: o.floor, handlers: strings.Split(o.handlers, ","), scenarios: chosen,
		rounds: o.rounds, window: o.window, progress: load.ProgressOn(os.Stderr),
	}
	if o.url != "" {
		p.external, p.handlers = &target{o.url, o.pid}, []string{external}
	}
	return p, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	if o.soak > 0 {
		return o.runSoak(ctx, out)
	}
	rep, err := o.measure(ctx)
	if err != nil {
		return err
	}
	if err := rep.print(out); err != nil {
		return err
	}
	if o.report != "" {
		err = writeFile(o.report, rep.markdown)
	}
	if o.json != "" {
		err = errors.Join(err, writeFile(o.json, rep.json))
	}
	return err
}

// measure runs the plan, or reads what an earlier run measured.
func (o *options) measure(ctx context.Context) (report, error) {
	if o.from != "" {
		return readReport(o.from)
	}
	p, err := o.plan()
	if err != nil {
		return report{}, err
	}
	results, err := p.run(ctx)
	p.progress("")
	if err != nil {
		return report{}, err
	}
	return newReport(p, results), nil
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
