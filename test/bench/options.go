package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Options say what is measured and how thoroughly.
type options struct {
	only    map[string]bool // names of measurements; empty: all
	size    size
	profile string // file for a processor profile, which is then all that is made
	compare string // revision that is compared with this one, which is then all that is measured
}

// A size is how much of everything is done.
type size struct {
	// warmUp is load before anything is measured. Kafka's JVM, which shares the cores, takes ten times as much
	// processor time for a record in its first seconds as half a minute later, when it has compiled what it runs.
	warmUp    time.Duration
	rounds    int           // of load on each of the two servers
	round     time.Duration // length of one round
	starts    int           // cold starts
	events    int           // one after the other, in a round
	benchtime time.Duration // of one micro-benchmark
	fleet     int           // devices of a large registry
	lookups   int           // of its devices
	lists     int           // of its devices, by each kind of selector
	applied   int           // devices that fairlead apply makes
	withdrawn withdrawal    // sessions of an application that is disabled
	pullers   int           // consumers that are counted
	commands  time.Duration // of a steady rate of commands
	growth    growthSizes
	storm     tempest
}

// fullSize takes about an hour, quickSize some minutes, in which Kafka does not get warm.
var (
	fullSize  = size{warmUp: 30 * time.Second, rounds: 7, round: 3 * time.Second, starts: 15, events: 10_000, benchtime: time.Second, fleet: 1_000_000, lookups: 5000, lists: 200, applied: 10_000, pullers: 1000, withdrawn: withdrawal{mqtt: 20_000, dtls: 2000, after: 200, logins: 40}, commands: 20 * time.Second, storm: tempest{devices: 20_000, hashed: 500, calm: 10 * time.Second}, growth: fullGrowth}
	quickSize = size{warmUp: 3 * time.Second, rounds: 2, round: time.Second, starts: 5, events: 100, benchtime: 200 * time.Millisecond, fleet: 20_000, lookups: 500, lists: 20, applied: 1000, pullers: 100, withdrawn: withdrawal{mqtt: 2000, dtls: 200, after: 40, logins: 10}, commands: 3 * time.Second, storm: tempest{devices: 1000, hashed: 60, calm: 3 * time.Second}, growth: quickGrowth}
)

func parseOptions(arguments []string) (options, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	quick := flags.Bool("quick", false, "measure with fewer and shorter rounds, in some minutes")
	only := flags.String("only", "", "measure only these, separated by commas: "+strings.Join(names(), ", "))
	rounds := flags.Int("rounds", 0, "rounds of load on each server; 0 is the default of the size")
	profile := flags.String("profile", "", "write a processor profile of telemetry under load to this file, and measure nothing")
	compare := flags.String("compare", "", "compare this working tree with a revision of git, and measure nothing else")
	err := flags.Parse(arguments)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err != nil {
		flags.SetOutput(os.Stderr)
		flags.PrintDefaults()
		return options{}, err
	}
	o := options{only: map[string]bool{}, size: fullSize, profile: *profile, compare: *compare}
	if *quick {
		o.size = quickSize
	}
	if *rounds > 0 {
		o.size.rounds = *rounds
	}
	for name := range strings.FieldsFuncSeq(*only, func(r rune) bool { return r == ',' }) {
		if !slices.Contains(names(), name) {
			return options{}, fmt.Errorf("there is no measurement %q, only %s", name, strings.Join(names(), ", "))
		}
		o.only[name] = true
	}
	return o, nil
}

// selected lists what to measure, in the order of the table.
func (o options) selected() []measurement {
	if o.compare != "" {
		return []measurement{comparison(o.compare)}
	}
	return slices.DeleteFunc(measurements(), func(m measurement) bool { return len(o.only) > 0 && !o.only[m.name] })
}

func names() []string {
	set := map[string]bool{}
	for _, m := range measurements() {
		set[m.name] = true
	}
	return slices.Sorted(maps.Keys(set))
}
