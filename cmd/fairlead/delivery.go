package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud"
	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/devcloud/manifests"
	"github.com/fairlead/fairlead/internal/replay"
	"github.com/fairlead/fairlead/triggers"
)

const (
	// unorderedLimit is how many events of one partition go to an unordered Trigger at once.
	unorderedLimit = 32
	maxParallel    = 1000
	// maxProblems is how many events that cannot be delivered are named.
	maxProblems = 20
)

// deliveryFlags say where events go, and how.
type deliveryFlags struct {
	To       string            `placeholder:"URL" xor:"target" group:"Where to" help:"URL of the subscriber."`
	Trigger  string            `placeholder:"NAME" xor:"target" group:"Where to" help:"A Trigger, whose filter, subscriber and delivery count: a file with its manifest, - for standard input, or the name of one that the running fairlead dev serves."`
	Ref      map[string]string `mapsep:"," placeholder:"NAME=URL" group:"Where to" help:"Where an object runs that the Trigger refers to, by name or namespace/name; repeatable."`
	Retry    int               `default:"3" group:"How" help:"Attempts after the first one. A Trigger has its own, as with the next two."`
	Backoff  time.Duration     `default:"500ms" group:"How" help:"Pause before the second attempt is twice that, and doubles each time."`
	Timeout  time.Duration     `default:"30s" group:"How" help:"Longest duration of one attempt."`
	Parallel int               `placeholder:"N" group:"How" help:"Events of one partition that may be on their way at once; more than 1 gives up their order. Without it 1, and 32 to a Trigger that is not ordered."`
	Rate     float64           `placeholder:"N" group:"How" help:"Events in a second. Without it, as fast as the subscriber answers."`
	DryRun   bool              `group:"How" help:"Only count what would be delivered."`
}

func (f *deliveryFlags) validate() error {
	switch {
	case f.Retry < 0 || f.Retry > 100:
		return errors.New("--retry must lie between 0 and 100")
	case f.Backoff <= 0 || f.Backoff > time.Hour:
		return errors.New("--backoff must lie between 1ns and 1h")
	case f.Timeout <= 0 || f.Timeout > time.Hour:
		return errors.New("--timeout must lie between 1ns and 1h")
	case f.Parallel < 0 || f.Parallel > maxParallel:
		return fmt.Errorf("--parallel must lie between 1 and %d", maxParallel)
	case f.Rate < 0:
		return errors.New("--rate must not be negative")
	}
	return nil
}

func (f *deliveryFlags) policy() triggers.Policy {
	return triggers.Policy{Retries: f.Retry, BackoffPolicy: triggers.BackoffExponential, BackoffDelay: f.Backoff, Timeout: f.Timeout, Ordered: true}
}

// target is where events of an application go; nil if the flags do not say.
func (f *deliveryFlags) target(t terminal, access *kafkaAccess, application string) (*dispatch.Subscription, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	switch {
	case f.Trigger != "":
		return f.trigger(t, access, application)
	case f.To == "":
		return nil, nil
	}
	s := &dispatch.Subscription{Name: "replay", Group: "-", Topic: "-", Application: application, Subscriber: f.To, Policy: f.policy()}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	return s, nil
}

// trigger finds the Trigger that is meant.
func (f *deliveryFlags) trigger(t terminal, access *kafkaAccess, application string) (*dispatch.Subscription, error) {
	found, err := f.subscriptions(t, access, application)
	if err != nil {
		return nil, err
	}
	switch len(found) {
	case 1:
		return &found[0], nil
	case 0:
		return nil, fmt.Errorf("--trigger: %s is no file and no Trigger of application %s that a running fairlead dev serves", f.Trigger, application)
	default:
		return nil, fmt.Errorf("--trigger: %s has %d Triggers of application %s; one is needed", f.Trigger, len(found), application)
	}
}

func (f *deliveryFlags) subscriptions(t terminal, access *kafkaAccess, application string) (found []dispatch.Subscription, err error) {
	if _, err := os.Stat(f.Trigger); err != nil && f.Trigger != "-" {
		return f.served(access, application), nil
	}
	set, err := f.manifest(t)
	if err != nil {
		return nil, err
	}
	for _, trigger := range set.Triggers(application) {
		s, err := manifests.Subscription(set, trigger, f.Ref)
		if err != nil {
			return nil, fmt.Errorf("reading Trigger %s: %w", trigger.Metadata.Name, err)
		}
		found = append(found, s)
	}
	return found, nil
}

// manifest reads the file, or standard input.
func (f *deliveryFlags) manifest(t terminal) (*triggers.Set, error) {
	if f.Trigger != "-" {
		return triggers.LoadFiles(f.Trigger)
	}
	documents, err := triggers.Decode("standard input", t.in)
	return &triggers.Set{Documents: documents}, err
}

// served are the Triggers of a running fairlead dev that have the name.
func (f *deliveryFlags) served(access *kafkaAccess, application string) []dispatch.Subscription {
	note, err := findNote(access.Data)
	if err != nil {
		return nil
	}
	loaded := manifests.NewLoader(note.Triggers, f.targets(note)).Load()
	return slices.DeleteFunc(loaded.Subscriptions, func(s dispatch.Subscription) bool {
		_, name, _ := strings.Cut(s.Name, "/")
		return s.Application != application || s.Name != f.Trigger && name != f.Trigger
	})
}

// targets are what a running fairlead dev has built in, and what the flags say.
func (f *deliveryFlags) targets(note devcloud.Note) manifests.Targets {
	targets := manifests.Targets{}
	for name, url := range map[string]string{"receiver": note.Receiver, "dead-letters": note.DeadLetters} {
		if url != "" {
			targets[name] = url + "/"
		}
	}
	maps.Copy(targets, f.Ref)
	return targets
}

// options are those of a run to a target, which may be nil.
func (f *deliveryFlags) options(application string, to *dispatch.Subscription, w *watcher) replay.Options {
	parallel := f.Parallel
	if parallel == 0 && to != nil && !to.Policy.Ordered {
		parallel = unorderedLimit
	}
	return replay.Options{
		Application: application, Parallel: max(1, parallel), Rate: f.Rate, DryRun: f.DryRun, Progress: w.progress, Problem: w.problem,
	}
}

// A watcher shows how a run goes.
type watcher struct {
	mu       sync.Mutex
	bar      *progress
	err      io.Writer
	problems int
}

func newWatcher(t terminal) *watcher {
	return &watcher{bar: newProgress(t.err, time.Now()), err: t.err}
}

func (w *watcher) progress(now replay.Tally) {
	w.mu.Lock()
	defer w.mu.Unlock()
	read := now.Total - now.Left
	w.bar.show(moment{at: time.Now(), count: int(read), part: float64(read) / float64(max(1, now.Total))}, more(now))
}

func more(now replay.Tally) string {
	if now.Failed > 0 {
		return fmt.Sprintf(", %s failed", grouped(int(now.Failed)))
	}
	return ""
}

// problem names the first events that cannot be delivered.
func (w *watcher) problem(id string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems++
	switch {
	case w.problems == maxProblems+1:
		w.bar.clear()
		fmt.Fprintln(w.err, "further events that cannot be delivered are only counted")
	case w.problems > maxProblems:
	case id == "":
		w.bar.clear()
		fmt.Fprintln(w.err, "warning:", printable(err.Error()))
	default:
		w.bar.clear()
		fmt.Fprintf(w.err, "event %s: %s\n", oneLine(id), printable(err.Error()))
	}
}

func (w *watcher) end() { w.bar.clear() }

// summary is what became of everything.
func summary(verb string, done replay.Tally, to string) string {
	text := fmt.Sprintf("%s %s", verb, counted(done.Delivered, "event"))
	if to != "" {
		text += " to " + to
	}
	for _, other := range []struct {
		n    int64
		what string
	}{
		{done.Filtered, "not let through by the filter"}, {done.Invalid, "skipped, since they are no events"},
		{done.Dead, "given to the dead letter sink"}, {done.Failed, "failed"},
	} {
		if other.n > 0 {
			text += fmt.Sprintf("; %s %s", grouped(int(other.n)), other.what)
		}
	}
	return text
}

func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(int(n)) + " " + noun + "s"
}

// stopped tells whether a run was ended by the user.
func stopped(err error) bool { return errors.Is(err, context.Canceled) }
