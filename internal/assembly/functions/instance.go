package functions

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/forwarded"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/store"
)

// An instance is an assembled function.
type instance struct {
	*assembly.Parts
	handler http.Handler
}

// start assembles the function that a configuration names. It connects to nothing; readiness does.
func start(ctx context.Context, c *Config) (*instance, error) {
	process.TuneMemory(process.FunctionGC)
	p, err := c.process()
	if err != nil {
		return nil, err
	}
	proxies, err := forwarded.New(c.Proxies)
	if err != nil {
		return nil, fmt.Errorf("proxies.%w", err)
	}
	var neighbours assembly.Neighbours
	var database *store.Store
	if p.HasRegistry(c.Auth) {
		if database, err = c.Database.Open(ctx); err != nil {
			return nil, err
		}
		neighbours.Registry = database
		neighbours.CloseRegistry = func(context.Context) error { return database.Close() }
	}
	parts, err := assembly.Open(ctx, p, c.Config, c.Auth, neighbours)
	if err != nil {
		return nil, err
	}
	handler, err := constructors[p.Name](c, parts, database)
	if err != nil {
		return nil, errors.Join(err, parts.Close(ctx))
	}
	idle, stop := context.WithCancel(context.Background())
	parts.OnClose(func(context.Context) error { stop(); return nil })
	go process.ReturnMemory(idle)
	return &instance{Parts: parts, handler: proxies.Handler(handler)}, nil
}
