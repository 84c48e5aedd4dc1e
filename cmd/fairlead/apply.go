package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/cloud"
)

// applyGrace is how long calls that were under way may go on after an interrupt.
const applyGrace = 10 * time.Second

type applyCommand struct {
	remote
	strictness
	Files    []string      `short:"f" name:"file" required:"" placeholder:"FILE" help:"File or folder with applications and devices, YAML or JSON, any number of documents; folders with all below them, *.yaml, *.yml and *.json; - is standard input; repeatable."`
	DryRun   bool          `short:"n" help:"Say what would be done, and do nothing."`
	Prune    bool          `help:"Then delete the devices that are in no file, of the applications that the files name. Asks before it does."`
	Yes      bool          `short:"y" help:"Do not ask."`
	Parallel int           `short:"j" default:"64" placeholder:"N" help:"Number of resources that are written at once (${default}), at most 64."`
	RetryFor time.Duration `default:"1m" placeholder:"DURATION" help:"How long to try again where the installation is overloaded or does not answer (${default})."`
	Verbose  bool          `short:"v" help:"A line for each resource, instead of the first ones only."`
}

// Run makes the registry have what the files say. It goes on where something fails.
func (c *applyCommand) Run(ctx context.Context, t terminal) error {
	if err := c.check(t); err != nil {
		return err
	}
	client, err := c.connect()
	if err != nil {
		return err
	}
	// Whoever is not known there hears of it once, and not for each resource.
	if _, err := client.WhoAmI(ctx); err != nil {
		return err
	}
	sources, err := openSources(ctx, t, c.Files)
	if err != nil {
		return err
	}
	defer sources.close()
	a := newApplier(ctx, c, client, t, sources.size())
	defer a.end()
	a.run(sources)
	if c.Prune {
		a.prune()
	}
	return a.summary()
}

func (c *applyCommand) check(t terminal) error {
	switch {
	case c.Parallel < 1 || c.Parallel > cloud.MaxConnections:
		return fmt.Errorf("--parallel: must lie between 1 and %d", cloud.MaxConnections)
	case c.RetryFor < 0:
		return errors.New("--retry-for: must not be negative")
	case c.Prune && !c.Yes && !c.DryRun && !(canAsk(t) && !fromStandardInput(c.Files)):
		return errors.New("--prune deletes devices, and there is no terminal to ask on: see what it would do with --dry-run, then say --yes")
	}
	return nil
}
