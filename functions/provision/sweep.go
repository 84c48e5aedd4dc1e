package provision

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/kube"
	"github.com/fairlead/fairlead/internal/store"
)

const (
	// work is the name under which the store keeps how far a sweep has come.
	work = "provision"
	// pagePerWorker is how many applications are read at once for each that is worked on at once.
	pagePerWorker = 4
	// noteTimeout bounds noting how far a sweep has come.
	noteTimeout = 2 * time.Second
)

// Sweep looks at all applications, for as long as the settings say; the next sweep, in whatever process, goes on where it ended. It
// tells how many it has looked at, and whether those were the last ones. After the last one it deletes objects of applications that
// are gone. What cannot be done for one application holds up no other one. While a sweep runs, another one does nothing.
func (p *Provisioner) Sweep(ctx context.Context) (looked int, done bool, err error) {
	unlock, _ := p.sweeping.try(work)
	if unlock == nil {
		return 0, false, nil
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(ctx, p.settings.SweepTimeout)
	defer cancel()
	after, err := p.Store.Position(ctx, work)
	if err != nil {
		return 0, false, err
	}
	for ctx.Err() == nil {
		names, err := p.page(ctx, after)
		if err != nil {
			return looked, false, err
		}
		if len(names) == 0 {
			p.orphans(ctx)
			return looked, true, p.note(ctx, "")
		}
		p.each(ctx, names)
		looked += len(names)
		// An application that takes too long is looked at again in the next round, and does not keep this one from going on.
		after = names[len(names)-1]
		if err := p.note(ctx, after); err != nil {
			return looked, false, err
		}
	}
	return looked, false, nil
}

func (p *Provisioner) note(ctx context.Context, after string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	return p.Store.SetPosition(ctx, work, after)
}

// page reads the names of the next applications.
func (p *Provisioner) page(ctx context.Context, after string) (names []string, err error) {
	all, err := p.Store.Applications(ctx, store.Reader{All: true}, store.Query{After: after, Limit: pagePerWorker * p.settings.Parallel})
	for _, a := range all {
		names = append(names, a.Metadata.Name)
	}
	return names, err
}

// each looks at applications, several at once.
func (p *Provisioner) each(ctx context.Context, names []string) {
	queue := make(chan string, len(names))
	for _, name := range names {
		queue <- name
	}
	close(queue)
	var workers sync.WaitGroup
	for range p.settings.Parallel {
		workers.Go(func() {
			for name := range queue {
				if err := p.reconcile(ctx, name, "", false); err != nil {
					p.Log.Warn("an application waits for another attempt", zap.String("application", name), zap.Error(err))
				}
			}
		})
	}
	workers.Wait()
}

// orphans deletes the objects of applications that are gone, and of whose end nobody heard.
func (p *Provisioner) orphans(ctx context.Context) {
	if p.Cluster == nil {
		return
	}
	seen := map[string]bool{}
	for _, k := range kinds {
		err := p.Cluster.List(ctx, k, labelApplication, func(page []kube.Object) error {
			for _, o := range page {
				name := o.Annotation(annotationApplication)
				if name == "" || seen[name] {
					continue
				}
				seen[name] = true
				if a, err := p.find(ctx, name); err != nil || a != nil {
					continue
				}
				if err := p.reconcile(ctx, name, "", false); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			p.Log.Warn("objects of applications that are gone wait to be deleted", zap.Error(err))
		}
	}
}
