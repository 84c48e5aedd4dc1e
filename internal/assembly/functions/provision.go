package functions

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/fairlead/fairlead/functions/provision"
	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/kube"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/topics"
)

// newProvision makes the function that gives applications what they need. It tells others of what it writes as the registry does.
func newProvision(c *Config, p *assembly.Parts, s *store.Store) (http.Handler, error) {
	cluster, err := c.cluster()
	if err != nil {
		return nil, fmt.Errorf("kubernetes.%w", err)
	}
	relay, followed, err := newRelay(c, s, p.Documents, p.Writer, p.Log)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { relay.Run(ctx) })
	p.OnClose(func(ctx context.Context) error {
		stop()
		running.Wait()
		relay.Drain(ctx)
		followed.Close()
		if cluster != nil {
			cluster.Close()
		}
		return nil
	})
	p.Health.Add(process.Check{Name: "registry", Run: s.Ready})
	parts := provision.Parts{Store: s, Changes: relay, Cluster: cluster, Log: p.Log}
	if c.Changes.Topics.Make {
		parts.Topics = followed
	}
	if err := giveUsers(c, p, &parts); err != nil {
		return nil, err
	}
	return provision.NewHandler(provision.New(provision.Settings{Config: c.Provision, Brokers: c.Kafka.Brokers}, parts)), nil
}

// giveUsers has applications given users at Kafka, where that is wanted.
func giveUsers(c *Config, p *assembly.Parts, parts *provision.Parts) error {
	if !c.Provision.KafkaUsers {
		return nil
	}
	users, err := topics.NewUsers(c.Kafka)
	if err != nil {
		return err
	}
	p.OnClose(func(context.Context) error { users.Close(); return nil })
	parts.Users = users
	return nil
}

// cluster is the API server, nil where applications are given no objects.
func (c *Config) cluster() (*kube.Client, error) {
	if !c.Provision.Kubernetes {
		return nil, nil
	}
	return kube.New(c.Kubernetes)
}
