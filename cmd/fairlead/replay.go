package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/replay"
)

type replayCommand struct {
	kafkaAccess
	deliveryFlags
	App        string `arg:"" complete:"app" help:"Application."`
	From       string `placeholder:"PLACE" group:"What" help:"Where to begin: start, a time as 2006-01-02T15:04:05Z, a duration ago as 90m or 2d, or offsets of partitions as 0:1200,1:900."`
	Until      string `placeholder:"PLACE" group:"What" help:"Where to end, in the same way. Without it, the end of the topic as it is now."`
	Topic      string `group:"What" help:"Topic with the events, if it is not that of the application."`
	Resume     string `placeholder:"NAME" group:"How" help:"Keep in Kafka, under this name, how far it came. The same command goes on from there, until all is done."`
	SkipFailed bool   `group:"How" help:"Go on after an event that cannot be delivered."`
}

var resumeName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Run passes events on.
func (c *replayCommand) Run(ctx context.Context, t terminal) error {
	job, err := c.job(t)
	if err != nil {
		return err
	}
	watch := newWatcher(t)
	job.Options = c.options(c.App, &job.To, watch)
	client, err := c.connect()
	if err != nil {
		return err
	}
	defer client.Close()
	if err := c.sayWhere(ctx, t, client); err != nil {
		return err
	}
	done, err := client.Replay(ctx, *job)
	watch.end()
	return c.report(t, &job.To, done, err)
}

// job is what the flags ask for.
func (c *replayCommand) job(t terminal) (*replay.Replay, error) {
	if err := registry.ValidateApplicationName(c.App); err != nil {
		return nil, err
	}
	if c.Resume != "" && !resumeName.MatchString(c.Resume) {
		return nil, errors.New("--resume takes a name of at most 63 lower-case letters, digits and hyphens")
	}
	if c.From == "" && c.Resume == "" {
		return nil, errors.New("--from says where to begin: start, a time, a duration ago, or offsets")
	}
	to, err := c.target(t, &c.kafkaAccess, c.App)
	if err != nil {
		return nil, err
	}
	if to == nil {
		return nil, errors.New("--to URL or --trigger NAME says where events go")
	}
	job := &replay.Replay{To: *to, Topic: c.Topic, Resume: c.Resume, SkipFailed: c.SkipFailed}
	if job.From, err = place("--from", c.From); err != nil {
		return nil, err
	}
	job.Until, err = place("--until", c.Until)
	return job, err
}

func place(flag, text string) (p replay.Place, err error) {
	if text == "" {
		return p, nil
	}
	if p, err = replay.ParsePlace(text, time.Now()); err != nil {
		return p, fmt.Errorf("%s: %w", flag, err)
	}
	return p, nil
}

// sayWhere says that a run goes on where another one ended.
func (c *replayCommand) sayWhere(ctx context.Context, t terminal, client *replay.Client) error {
	if c.Resume == "" {
		return nil
	}
	unfinished, err := client.Unfinished(ctx, c.App, c.Resume)
	if err == nil && unfinished {
		fmt.Fprintf(t.err, "going on where %s ended; --from and --until are those of its beginning\n", c.Resume)
	}
	return err
}

// report says what was done, and how to go on if that is not all.
func (c *replayCommand) report(t terminal, to *dispatch.Subscription, done replay.Tally, err error) error {
	var stop *replay.Stop
	if err != nil && !errors.As(err, &stop) {
		return err
	}
	verb := "replayed"
	if c.DryRun {
		verb = "would replay"
	}
	fmt.Fprintln(t.out, summary(verb, done, to.Subscriber))
	switch {
	case stop == nil:
		return nil
	case c.DryRun:
	case c.Resume != "":
		fmt.Fprintln(t.err, "to go on, run the same command again")
	default:
		fmt.Fprintf(t.err, "to go on, run it with --from %s\n", stop.At)
	}
	if stopped(err) {
		return errReported
	}
	return err
}
