package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/replay"
)

type deadLettersCommand struct {
	List      deadLettersList      `cmd:"" default:"withargs" help:"List the events that Triggers of an application gave up, and why."`
	Redeliver deadLettersRedeliver `cmd:"" help:"Deliver dead letters again, after what refused them was mended."`
}

// letterFlags choose dead letters.
type letterFlags struct {
	ID         []string `name:"id" group:"Which" help:"Of events with these ids."`
	Code       []string `group:"Which" help:"Refused with these statuses; none is for those that were not answered."`
	Subscriber string   `group:"Which" help:"Not taken by subscribers with this text in their URL."`
	Device     string   `group:"Which" help:"From this device."`
	Since      string   `placeholder:"PLACE" group:"Which" help:"Given up at that time or later: a time as 2006-01-02T15:04:05Z, or a duration ago as 90m or 2d."`
}

func (f *letterFlags) selection() (s replay.Selection, err error) {
	s = replay.Selection{IDs: f.ID, Codes: f.Code, Subscriber: f.Subscriber, Device: f.Device}
	since, err := place("--since", f.Since)
	if err == nil && f.Since != "" && since.Time.IsZero() {
		err = errors.New("--since takes a time or a duration ago")
	}
	s.Since = since.Time
	return s, err
}

type deadLettersList struct {
	kafkaAccess
	letterFlags
	App         string `arg:"" complete:"app" help:"Application."`
	Redelivered bool   `group:"Which" help:"Also those that were redelivered."`
	Output      string `short:"o" enum:"auto,table,json" default:"auto" help:"How to show them: table, or json (one line for each). Left to itself, a table on a terminal and json elsewhere."`
}

func letterColumns() []column {
	letter := func(get func(replay.Letter) string) func(document) string {
		return func(d document) string { return get(d.Letter) }
	}
	return []column{
		{name: "TIME", text: letter(func(l replay.Letter) string { return l.Time.Local().Format(time.DateTime) })},
		{name: "ID", text: letter(func(l replay.Letter) string { return l.ID })},
		{name: "DEVICE", text: letter(func(l replay.Letter) string { return l.Device })},
		{name: "SUBSCRIBER", text: letter(func(l replay.Letter) string { return l.Subscriber })},
		{name: "CODE", text: letter(func(l replay.Letter) string { return l.Code })},
		{name: "REASON", text: letter(func(l replay.Letter) string { return shortened(l.Reason, 60) })},
	}
}

// shortened is a text in at most so many characters.
func shortened(text string, most int) string {
	if all := []rune(text); len(all) > most {
		return string(all[:most-1]) + "…"
	}
	return text
}

// Run lists dead letters.
func (c *deadLettersList) Run(ctx context.Context, t terminal) error {
	if err := registry.ValidateApplicationName(c.App); err != nil {
		return err
	}
	which, err := c.selection()
	if err != nil {
		return err
	}
	which.Redelivered = c.Redelivered
	client, err := c.connect()
	if err != nil {
		return err
	}
	defer client.Close()
	invalid, err := c.show(ctx, t, client, which)
	if invalid > 0 {
		fmt.Fprintf(t.err, "%s skipped that are no events\n", counted(int64(invalid), "record"))
	}
	return err
}

func (c *deadLettersList) show(ctx context.Context, t terminal, client *replay.Client, which replay.Selection) (invalid int, err error) {
	if c.Output == "json" || c.Output == "auto" && !isTerminal(t.out) {
		lines := json.NewEncoder(t.out)
		lines.SetEscapeHTML(false)
		return client.Letters(ctx, c.App, which, func(l replay.Letter) error { return lines.Encode(l) })
	}
	table := newTable(t.out, letterColumns())
	n := 0
	invalid, err = client.Letters(ctx, c.App, which, func(l replay.Letter) error {
		n++
		text, err := json.Marshal(struct {
			Letter replay.Letter `json:"letter"`
		}{l})
		if err != nil {
			return err
		}
		return table.add(text)
	})
	if err = table.end(err); err == nil && n == 0 {
		fmt.Fprintln(t.err, "no dead letters")
	}
	return invalid, err
}

type deadLettersRedeliver struct {
	kafkaAccess
	letterFlags
	deliveryFlags
	App string `arg:"" complete:"app" help:"Application."`
	All bool   `group:"Which" help:"All that were not redelivered."`
}

// Run delivers dead letters again.
func (c *deadLettersRedeliver) Run(ctx context.Context, t terminal) error {
	if err := registry.ValidateApplicationName(c.App); err != nil {
		return err
	}
	job, err := c.job(t)
	if err != nil {
		return err
	}
	client, err := c.connect()
	if err != nil {
		return err
	}
	defer client.Close()
	watch := newWatcher(t)
	job.Options = c.options(c.App, job.To, watch)
	done, err := client.Redeliver(ctx, *job)
	watch.end()
	return c.report(t, job.To, done, err)
}

// job is what the flags ask for.
func (c *deadLettersRedeliver) job(t terminal) (*replay.Redelivery, error) {
	which, err := c.selection()
	if err != nil {
		return nil, err
	}
	if c.All != which.IsZero() {
		return nil, errors.New("say which: --all, or --id and the like")
	}
	to, err := c.target(t, &c.kafkaAccess, c.App)
	if err != nil {
		return nil, err
	}
	if to != nil {
		to.DeadLetter = "" // what fails is a dead letter already
	}
	return &replay.Redelivery{Selection: which, To: to, Policy: c.policy()}, nil
}

func (c *deadLettersRedeliver) report(t terminal, to *dispatch.Subscription, done replay.Tally, err error) error {
	if err != nil && !stopped(err) {
		return err
	}
	verb, where := "redelivered", ""
	if c.DryRun {
		verb = "would redeliver"
	}
	if to != nil {
		where = to.Subscriber
	}
	if len(c.ID) > 0 && done.Delivered+done.Filtered+done.Failed == 0 && err == nil {
		return fmt.Errorf("no dead letter of application %s that was not redelivered is meant by that", strconv.Quote(c.App))
	}
	fmt.Fprintln(t.out, summary(verb, done, where))
	if err != nil || done.Failed > 0 {
		return errReported
	}
	return nil
}
