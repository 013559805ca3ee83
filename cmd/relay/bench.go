package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"relay/bench"
	"relay/bench/floor"
	"relay/bench/load"
	"relay/bench/report"
	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
	"relay/cmd/relay/internal/suggest"
)

var benchEntry = entry{
	name: "bench", args: "SCENARIO...",
	summary: "Measure a relay under load.",
	help:    benchHelp(),
	make:    func() command { return new(benchCommand) },
}

// allScenarios stands for every scenario.
const allScenarios = "all"

func benchHelp() string {
	var b strings.Builder
	b.WriteString("Without --url it starts a relay for the test, and beside it the floor: the least\n" +
		"program that does the same work, measured in turn with the relay. Settings in the\n" +
		"environment (RELAY_...) are those of the relay that is started.\n\n")
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, s := range bench.Scenarios() {
		fmt.Fprintf(t, "  %s\t%s\n", s.Name, s.Summary)
	}
	fmt.Fprintf(t, "  %s\tAll of them, one after the other.\n", allScenarios)
	t.Flush()
	b.WriteString("\nNumbers that are not given are chosen by the scenario; docs/benchmarking.md has them.\n" +
		"Exits with 1 if an event was lost, came twice, out of order or to the wrong client.\n\n" +
		"  relay bench fanout --html report.html\n" +
		"  relay bench fanout storm --clients 5000 --redis-url redis://127.0.0.1:6379\n")
	return b.String()
}

type benchCommand struct {
	options       bench.Options
	transport     string
	json, html    string
	apiKey, token string
	relay         bench.RelayAddress
}

func (c *benchCommand) flags(fs *flag.FlagSet) {
	o := &c.options
	fs.IntVar(&o.Clients, "clients", 0, "How many `CLIENTS` connect.")
	fs.StringVar(&c.transport, "transport", string(load.WebSocket), "How they connect: ws or sse, as `NAME`.")
	fs.Float64Var(&o.Rate, "rate", 0, "`EVENTS` a second.")
	fs.IntVar(&o.Batch, "batch", 1, "`EVENTS` in a request.")
	fs.IntVar(&o.Size, "size", 0, "`BYTES` of an event's data (default 128, with --compress 1024).")
	fs.BoolVar(&o.Compress, "compress", false, "Have the clients ask for permessage-deflate, and compare with a relay whose clients do not.")
	fs.IntVar(&o.Publishers, "publishers", 0, "`CONNECTIONS` that publish.")
	fs.DurationVar(&o.Duration, "duration", 0, "How long one run is measured, as `DURATION`.")
	fs.IntVar(&o.Runs, "runs", 0, "`TIMES` that everything is measured; the median is reported.")
	fs.DurationVar(&o.Bound, "bound", 100*time.Millisecond, "Saturation: what 99 % of the deliveries must stay below, as `DURATION`.")
	fs.BoolVar(&o.NoFloor, "no-floor", false, "Measure the relay alone, beside nothing.")
	fs.StringVar(&o.RedisURL, "redis-url", "", "Redis for the relay that is started, as `URL`; better in RELAY_REDIS_URL if it holds a password.")
	fs.StringVar(&c.relay.PublicURL, "url", "", "A running relay's public listener, as `URL`, with its public path if it has one.")
	fs.StringVar(&c.relay.APIURL, "api-url", "", "Its api listener, as `URL` (default "+config.APIURLVariable+", or else "+defaultAPIURL+").")
	fs.StringVar(&c.relay.OpsURL, "ops-url", "", "Its ops listener, as `URL`; without it metrics are not read.")
	fs.IntVar(&c.relay.PID, "pid", 0, "Its process `ID`, if it runs on this machine.")
	fs.StringVar(&c.apiKey, "api-key", "", apiKeyHelp)
	fs.StringVar(&c.token, "token", "", "Client `TOKEN` for the channels bench.*; better in "+config.TokenVariable+".")
	fs.StringVar(&c.json, "json", "", "Write the results to this `FILE` as JSON; - is standard output.")
	fs.StringVar(&c.html, "html", "", "Write a report with plots to this `FILE`.")
}

func (c *benchCommand) run(ctx context.Context, p *program, args []string) error {
	if err := c.choose(args); err != nil {
		return err
	}
	if err := c.aim(p); err != nil {
		return err
	}
	// What takes minutes must not end with a path that does not exist.
	for _, path := range []string{c.json, c.html} {
		if err := createFile(path); err != nil {
			return err
		}
	}
	bar := newProgressBar(p.stderr)
	c.options.OnProgress = bar.show
	results, err := bench.Run(ctx, c.options)
	bar.clear()
	if err != nil {
		return err
	}
	if err := c.write(p.stdout, results); err != nil {
		return err
	}
	if flaws := results.Flaws(); len(flaws) > 0 {
		return fmt.Errorf("in %d runs not everything arrived as it should", len(flaws))
	}
	return nil
}

// choose reads the scenarios.
func (c *benchCommand) choose(args []string) error {
	names := []string{allScenarios}
	for _, s := range bench.Scenarios() {
		names = append(names, s.Name)
	}
	if len(args) == 0 {
		return &flags.Error{Text: "it takes a scenario", Hint: "relay bench fanout; `relay bench --help` lists them"}
	}
	for _, arg := range args {
		known := false
		for _, name := range names {
			known = known || name == arg
		}
		if !known {
			e := &flags.Error{Text: fmt.Sprintf("there is no scenario %q", arg), Hint: "`relay bench --help` lists them"}
			if near, ok := suggest.Nearest(arg, names); ok {
				e.Hint = "did you mean " + near + "?"
			}
			return e
		}
		if arg == allScenarios {
			c.options.Scenarios = names[1:]
			return nil
		}
	}
	c.options.Scenarios = args
	return nil
}

// aim finds out what is to be measured.
func (c *benchCommand) aim(p *program) error {
	o := &c.options
	o.Transport = load.Transport(c.transport)
	o.Version, o.Env = version(), p.env
	o.Command = "relay bench " + strings.Join(hideSecrets(p.args[1:]), " ")
	if c.relay.PublicURL != "" {
		c.relay.APIURL = apiURL(p, c.relay.APIURL)
	} else if c.relay != (bench.RelayAddress{}) {
		return &flags.Error{Text: "--api-url, --ops-url and --pid are about a relay that runs", Hint: "add --url, where its clients connect"}
	} else {
		var err error
		if o.Program, err = os.Executable(); err != nil {
			return fmt.Errorf("the path of this program cannot be found, so no relay can be started: %w", err)
		}
		o.RedisURL = cmp.Or(o.RedisURL, p.variable("RELAY_REDIS_URL"))
	}
	key, err := apiKey(p, c.apiKey)
	if err != nil {
		return err
	}
	c.relay.Key, c.relay.Token = key, cmp.Or(c.token, p.variable(config.TokenVariable))
	o.Relay = c.relay
	return nil
}

// hideSecrets keeps keys, tokens and passwords out of reports.
func hideSecrets(args []string) []string {
	shown := make([]string, len(args))
	hideNext := false
	for i, arg := range args {
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		secret := strings.HasPrefix(arg, "-") && (name == "api-key" || name == "token" || name == "redis-url")
		switch {
		case hideNext:
			shown[i], hideNext = "***", false
		case secret && hasValue:
			shown[i] = "--" + name + "=***"
		default:
			shown[i], hideNext = arg, secret
		}
	}
	return shown
}

// write writes the results everywhere they are wanted.
func (c *benchCommand) write(stdout io.Writer, results *bench.Report) error {
	if c.json == "-" {
		return writeJSON(stdout, results)
	}
	if err := report.Text(stdout, results); err != nil {
		return err
	}
	if c.json != "" {
		if err := toFile(c.json, func(w io.Writer) error { return writeJSON(w, results) }); err != nil {
			return err
		}
	}
	if c.html != "" {
		return toFile(c.html, func(w io.Writer) error { return report.HTML(w, results) })
	}
	return nil
}

func writeJSON(w io.Writer, results *bench.Report) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(results)
}

// createFile makes an empty file, if one is wanted.
func createFile(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return file.Close()
}

// toFile writes a file, and says so if not all of it could be written.
func toFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		_ = file.Close()
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return file.Close()
}

var floorEntry = entry{
	name: bench.FloorCommand, args: "KIND", hidden: true,
	summary: "Be what `relay bench` measures a relay against.",
	make:    func() command { return floorCommand{} },
}

type floorCommand struct{}

func (floorCommand) flags(*flag.FlagSet) {}

func (floorCommand) run(ctx context.Context, p *program, args []string) error {
	if len(args) == 1 {
		switch args[0] {
		case bench.FloorSockets:
			return floor.Run(ctx, p.stderr)
		case bench.FloorNoop:
			return floor.Noop(ctx, p.stderr)
		}
	}
	return &flags.Error{
		Text: "it is " + bench.FloorSockets + " or " + bench.FloorNoop,
		Hint: "`relay bench` starts it where it is needed",
	}
}
