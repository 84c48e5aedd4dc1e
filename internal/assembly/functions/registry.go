package functions

import (
	"context"
	"sync"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/changes"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/accounts"
	"github.com/fairlead/fairlead/internal/topics"
	"github.com/fairlead/fairlead/internal/user"
	registryfn "github.com/fairlead/fairlead/registry-fn"
)

// A Registry is the registry's API with what runs beside it: the relay that tells others of changes, and the sweeper that
// ends deletions.
type Registry struct {
	*registryfn.Handler
	Users *user.Authenticator // of the API

	relay   *changes.Relay
	topics  *topics.Topics
	stop    context.CancelFunc
	running sync.WaitGroup
}

// NewRegistry puts the registry together on a store, and starts what runs beside the API. The store, the caches and the
// writer stay the caller's to close, after the registry.
func NewRegistry(c *Config, s *store.Store, caches changes.Invalidator, w changes.Writer, refusals *refusal.Log, log *zap.Logger) (*Registry, error) {
	directory := accounts.New(s)
	users, err := user.New(c.User, directory, directory, log)
	if err != nil {
		return nil, err
	}
	relay, followed, err := newRelay(c, s, caches, w, log)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &Registry{Users: users, relay: relay, topics: followed, stop: stop}
	r.Handler = registryfn.New(c.Registry, registryfn.Parts{
		Store: s, Users: users, Directory: directory, Tokens: user.NewTokens(c.User.Tokens, directory), Changes: relay, Topics: followed,
		Log: log, Refusals: refusals,
	})
	sweeper := registryfn.NewDeletionSweeper(c.Registry, s, relay, log)
	r.running.Go(func() { relay.Run(ctx) })
	r.running.Go(func() { sweeper.Run(ctx) })
	return r, nil
}

// newRelay makes what tells others of changes, and the topics that it has follow them. Whoever relays makes topics: any process may
// get the changes of any other.
func newRelay(c *Config, s *store.Store, caches changes.Invalidator, w changes.Writer, log *zap.Logger) (*changes.Relay, *topics.Topics, error) {
	followed, err := topics.New(c.Changes.Topics, c.Kafka, s, log)
	if err != nil {
		return nil, nil, err
	}
	relay := changes.New(c.Changes, s, caches, w, log)
	relay.FollowWith(followed)
	return relay, followed, nil
}

// Close tells what waits to be told, as far as that goes at once. What is left is told by the next process.
func (r *Registry) Close(ctx context.Context) error {
	r.stop()
	r.running.Wait()
	r.relay.Drain(ctx)
	r.topics.Close()
	return nil
}
