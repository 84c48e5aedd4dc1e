package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/devcloud/dryrun"
	"github.com/fairlead/fairlead/internal/devcloud/receiver"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/triggers"
)

// readTimeout bounds reading the newest events.
const readTimeout = 20 * time.Second

type triggerTest struct {
	kafkaAccess
	File  string `short:"f" required:"" help:"Manifest with the Trigger."`
	App   string `help:"Application whose events to try; without it, the one that spec.broker names."`
	Count int    `short:"n" default:"20" help:"How many of the newest events to try."`
}

// Run prints a table for each Trigger.
func (c *triggerTest) Run(ctx context.Context, t terminal) error {
	if c.Count < 1 || c.Count > 10_000 {
		return errors.New("-n must lie between 1 and 10000")
	}
	all, err := chosen(c.File, c.App)
	if err != nil {
		return err
	}
	brokers, err := c.brokers()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for _, trigger := range all {
		if err := c.try(ctx, t.out, brokers, trigger); err != nil {
			return fmt.Errorf("trying Trigger %s: %w", trigger.Metadata.Name, err)
		}
	}
	return nil
}

func (c *triggerTest) try(ctx context.Context, out io.Writer, brokers kafka.Config, trigger *triggers.Trigger) error {
	explainer, err := dryrun.Explain(trigger)
	if err != nil {
		return err
	}
	records, err := dryrun.Newest(ctx, brokers, event.Topic(trigger.Spec.Broker), c.Count)
	if err != nil {
		return err
	}
	got, err := table(out, explainer, records)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Trigger %s would get %d of the newest %s of application %s.\n\n",
		trigger.Metadata.Name, got, count(len(records), "event"), trigger.Spec.Broker)
	return err
}

// table prints a line for each record and tells how many the Trigger would get.
func table(out io.Writer, explainer *dryrun.Explainer, records []*kgo.Record) (got int, err error) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "GETS\tTIME\tDEVICE\tSUBJECT\tTYPE\tWHY NOT")
	for _, record := range records {
		decoded, err := dispatch.Decode(record)
		if err != nil {
			fmt.Fprintf(w, "no\t%s\t\t\t\tnot a CloudEvent: %v\n", receiver.Clock(record.Timestamp), err)
			continue
		}
		ok, why := explainer.Match(decoded)
		e := decoded.SDK()
		gets := "no"
		if ok {
			gets = "yes"
			got++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", gets, receiver.Clock(e.Time()), receiver.Printable(receiver.Attribute(e, "device"), 24),
			receiver.Printable(e.Subject(), 24), receiver.Printable(e.Type(), 40), receiver.Printable(why, 100))
	}
	return got, w.Flush()
}
