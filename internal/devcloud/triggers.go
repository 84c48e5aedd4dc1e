package devcloud

import (
	"bytes"
	"context"
	_ "embed" // for the example
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/devcloud/folder"
	"github.com/fairlead/fairlead/internal/devcloud/manifests"
	"github.com/fairlead/fairlead/internal/devcloud/registryfile"
)

//go:embed example-trigger.yaml
var exampleTrigger []byte

// mostPrinted is how many applications have Triggers without being asked for.
const mostPrinted = 20

// writePrinting writes a Trigger for each application of the registry files that has none yet, and of which there are not too many.
func (d *Dev) writePrinting(contents registryfile.Contents) error {
	if err := os.MkdirAll(d.note.Triggers, 0o700); err != nil {
		return fmt.Errorf("making the folder of Triggers: %w", err)
	}
	demo := map[string]bool{} // which has a Trigger of its own
	if d.config.Demo != nil {
		for _, a := range d.config.Demo.Registry.Applications {
			demo[a.Metadata.Name] = true
		}
	}
	written := 0
	for _, a := range contents.Applications {
		if name := a.Metadata.Name; !demo[name] && written < mostPrinted {
			written++
			if err := writeTrigger(d.note.Triggers, PrintFile(name), printTrigger(name), false); err != nil {
				return err
			}
		}
	}
	return nil
}

// PrintFile is the file of the Trigger that has the events of an application printed.
func PrintFile(application string) string {
	if application == exampleApplication {
		return "print.yaml"
	}
	return "print-" + application + ".yaml"
}

func printTrigger(application string) []byte {
	if application == exampleApplication {
		return exampleTrigger
	}
	text := bytes.ReplaceAll(exampleTrigger, []byte(exampleApplication), []byte(application))
	return bytes.Replace(text, []byte("name: print\n"), []byte("name: print-"+application+"\n"), 1)
}

// writeTrigger puts a manifest into a folder. Unless it is to be replaced, an existing file is left alone: a user may have
// changed it.
func writeTrigger(dir, file string, manifest []byte, replace bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of Triggers: %w", err)
	}
	name := filepath.Join(dir, file)
	if _, err := os.Stat(name); err == nil && !replace {
		return nil
	}
	return folder.Write(name, manifest)
}

// A triggerFiles keeps the dispatcher as the manifests say.
type triggerFiles struct {
	loaders    []*manifests.Loader
	pushed     *pushing    // further Triggers
	commands   *commanding // one more for each application
	dispatcher *dispatch.Dispatcher
	logger     *slog.Logger

	mu sync.Mutex // of apply
}

// names lists the files.
func (t *triggerFiles) names() (all []string) {
	for _, l := range t.loaders {
		all = append(all, l.Files()...)
	}
	return all
}

// apply reads the manifests and serves them. It tells how many Triggers there are.
func (t *triggerFiles) apply() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []dispatch.Subscription
	for _, l := range t.loaders {
		loaded := l.Load()
		for _, problem := range loaded.Problems {
			t.logger.Error(problem.Error())
		}
		for _, finding := range loaded.Findings {
			t.logger.Warn(finding.String())
		}
		all = append(all, loaded.Subscriptions...)
	}
	all = append(all, t.pushed.subscriptions()...)
	if err := t.dispatcher.Apply(t.commands.add(all)); err != nil {
		t.logger.Error(err.Error())
	}
	return len(all)
}

// watch applies the manifests whenever one of them or an application's endpoint changes, until the context ends.
func (t *triggerFiles) watch(ctx context.Context, seen map[string]folder.Stamp, running *sync.WaitGroup) {
	t.pushed.watch(ctx, func() { t.apply() }, running)
	running.Go(func() {
		folder.Watch(ctx, seen, t.names, func(time.Duration) bool {
			t.logger.Info(fmt.Sprintf("read the Triggers again: %d are served", t.apply()))
			return true
		})
	})
}
