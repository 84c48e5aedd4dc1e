package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/devcloud"
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
	File        string   `short:"f" required:"" help:"Manifest with the Trigger."`
	App         string   `help:"Application whose events to try; without it, the one that spec.broker names."`
	Count       int      `short:"n" default:"20" help:"How many of the newest events to try."`
	Kafka       []string `name:"kafka-brokers" aliases:"kafka" env:"FAIRLEAD_KAFKA_BROKERS" was:"FAIRLEAD_KAFKA" help:"Addresses host:port of brokers. Without it, those of the fairlead dev that runs on --data."`
	KafkaSecret string   `name:"kafka-secret-dir" aliases:"kafka-secret" type:"path" env:"FAIRLEAD_KAFKA_SECRET_DIR" was:"FAIRLEAD_KAFKA_SECRET" help:"Folder with a mounted Secret in the layout of Knative's Kafka components."`
	Data        string   `type:"path" env:"FAIRLEAD_DATA" help:"Data folder of a running fairlead dev. Without it, .fairlead or the newest temporary one."`
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

// brokers finds Kafka: as given, or as a running fairlead dev says.
func (c *triggerTest) brokers() (kafka.Config, error) {
	found := kafka.DefaultConfig()
	found.Brokers, found.SecretDir = c.Kafka, c.KafkaSecret
	if len(found.Brokers) > 0 {
		return found, nil
	}
	note, err := findNote(c.Data)
	if err != nil {
		return found, err
	}
	found.Brokers, found.SecretDir = note.Kafka, note.KafkaSecret
	return found, nil
}

// findNote reads what a running fairlead dev says of itself: the one on a folder or, if none is named, the one on
// .fairlead or else the newest one with a temporary folder.
func findNote(folder string) (note devcloud.Note, err error) {
	candidates := []string{filepath.Join(folder, devcloud.NoteFile)}
	if folder == "" {
		candidates, err = filepath.Glob(filepath.Join(os.TempDir(), "fairlead-dev-*", devcloud.NoteFile))
		if err != nil {
			return note, fmt.Errorf("looking for a running fairlead dev: %w", err)
		}
		slices.SortFunc(candidates, func(a, b string) int { return modified(b).Compare(modified(a)) })
		candidates = slices.Insert(candidates, 0, filepath.Join(".fairlead", devcloud.NoteFile))
	}
	for _, name := range candidates {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if err := json.Unmarshal(text, &note); err != nil {
			return note, fmt.Errorf("%s does not parse", name)
		}
		return note, nil
	}
	return note, errors.New("no running fairlead dev was found: name its folder with --data, or brokers with --kafka-brokers")
}

func modified(name string) time.Time {
	info, err := os.Stat(name)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
