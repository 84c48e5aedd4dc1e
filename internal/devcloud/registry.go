package devcloud

import (
	"context"
	_ "embed" // for the example
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud/folder"
	"github.com/fairlead/fairlead/internal/devcloud/registryfile"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
)

//go:embed example.yaml
var exampleRegistry []byte

// syncTimeout bounds one pass over the registry files.
const syncTimeout = time.Minute

// A registryFiles keeps the registry as the files say, and a topic for every application.
type registryFiles struct {
	names  []string              // none: the example
	extra  registryfile.Contents // of the demo
	syncer *registryfile.Syncer
	kafka  kafka.Config
	logger *slog.Logger
}

func (r *registryFiles) load() (contents registryfile.Contents, err error) {
	if len(r.names) == 0 {
		contents, err = registryfile.Decode("example", exampleRegistry)
	} else {
		contents, err = registryfile.Load(r.names...)
	}
	contents.Applications = append(contents.Applications, r.extra.Applications...)
	contents.Devices = append(contents.Devices, r.extra.Devices...)
	return contents, err
}

// apply reads the files and makes the registry and the topics follow.
func (r *registryFiles) apply(ctx context.Context) (contents registryfile.Contents, changed int, err error) {
	contents, err = r.load()
	if err != nil {
		return contents, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	topics := make([]string, len(contents.Applications))
	for i, a := range contents.Applications {
		topics[i] = event.Topic(a.Metadata.Name)
	}
	if len(topics) > 0 {
		if err := kafka.EnsureTopics(ctx, r.kafka, Partitions, topics...); err != nil {
			return contents, 0, err
		}
	}
	changed, err = r.syncer.Sync(ctx, contents)
	return contents, changed, err
}

// watch applies the files whenever one of them changes, until the context ends. A file that cannot be read changes
// nothing.
func (r *registryFiles) watch(ctx context.Context, seen map[string]folder.Stamp, running *sync.WaitGroup) {
	running.Go(func() {
		folder.Watch(ctx, seen, func() []string { return r.names }, func() {
			_, changed, err := r.apply(ctx)
			if err != nil {
				r.logger.Error(fmt.Sprintf("the registry stays as it was: %v", err))
				return
			}
			r.logger.Info(fmt.Sprintf("read the registry files again: %d documents changed", changed))
		})
	})
}
