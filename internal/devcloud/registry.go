package devcloud

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud/authority"
	"github.com/fairlead/fairlead/internal/devcloud/folder"
	"github.com/fairlead/fairlead/internal/devcloud/registryfile"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
)

const (
	// syncTimeout bounds one pass over the registry files.
	syncTimeout = time.Minute
	// removalQuiet is how long the files have to be unchanged before something is removed: a file that is being written in
	// pieces lacks its last documents for a while.
	removalQuiet = 3 * time.Second
)

// A registryFiles keeps the registry as the files say, and a topic for every application.
type registryFiles struct {
	names   []string
	example *authority.Files      // of the example's device; nil without the example
	lenient bool                  // about what is probably not meant so
	extra   registryfile.Contents // of the demo
	syncer  *registryfile.Syncer
	kafka   kafka.Config
	logger  *slog.Logger
}

func (r *registryFiles) load() (contents registryfile.Contents, err error) {
	if r.example != nil {
		contents, err = exampleContents(*r.example)
	} else {
		contents, err = registryfile.Load(r.names...)
	}
	if err == nil && !r.lenient {
		err = contents.Strict()
	}
	if err != nil {
		return contents, err
	}
	for _, problem := range contents.Problems() {
		r.logger.Warn(fmt.Sprintf("registry files: %v", problem))
	}
	contents.Applications = append(contents.Applications, r.extra.Applications...)
	contents.Devices = append(contents.Devices, r.extra.Devices...)
	return contents, nil
}

// apply reads the files and makes the registry and the topics follow.
func (r *registryFiles) apply(ctx context.Context) (contents registryfile.Contents, err error) {
	contents, err = r.load()
	if err != nil {
		return contents, err
	}
	_, err = r.follow(ctx, contents)
	return contents, err
}

// follow makes the registry and the topics follow what the files say.
func (r *registryFiles) follow(ctx context.Context, contents registryfile.Contents) (changed int, err error) {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	topics := make([]string, len(contents.Applications))
	for i, a := range contents.Applications {
		topics[i] = event.Topic(a.Metadata.Name)
	}
	if len(topics) > 0 {
		if err := kafka.EnsureTopics(ctx, r.kafka, Partitions, topics...); err != nil {
			return 0, err
		}
	}
	done, err := r.syncer.Sync(ctx, contents)
	for _, name := range done.Kept {
		r.logger.Warn(fmt.Sprintf("application %q is in no registry file any longer, and stays: it has devices that came from no registry file; "+
			"remove it and them with: fairlead app delete %s", name, name))
	}
	return done.Changed, err
}

// watch applies the files whenever one of them changes, until the context ends. A file that cannot be read, or that has
// become empty or was cut short, changes nothing.
func (r *registryFiles) watch(ctx context.Context, seen map[string]folder.Stamp, running *sync.WaitGroup) {
	running.Go(func() {
		folder.Watch(ctx, seen, func() []string { return r.names }, func(quiet time.Duration) bool { return r.changed(ctx, quiet) })
	})
}

// changed applies the files again, which have not changed for a while. It tells whether it is done with them.
func (r *registryFiles) changed(ctx context.Context, quiet time.Duration) bool {
	changed, wait := 0, false
	contents, err := r.load()
	if err == nil && quiet < removalQuiet {
		wait, err = r.syncer.Check(contents)
	}
	if wait && err == nil {
		return false
	}
	if err == nil {
		changed, err = r.follow(ctx, contents)
	}
	if err != nil {
		r.logger.Error(fmt.Sprintf("the registry stays as it was: %v", err))
		return true
	}
	r.logger.Info(fmt.Sprintf("read the registry files again: %d documents changed", changed))
	return true
}
