package assembly

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/door"
)

// openDoor opens the way to the registry that the configuration asks for: to the authentication function, or to Redis and
// PostgreSQL themselves.
func openDoor(ctx context.Context, c Config, log *zap.Logger) (*door.Door, error) {
	if !c.judges() {
		sign, err := c.Self.Signer()
		if err != nil {
			return nil, fmt.Errorf("self.%w", err)
		}
		return door.NewClient(ctx, c.Auth, c.Cache, sign)
	}
	database, err := c.Database.Open(ctx)
	if err != nil {
		return nil, err
	}
	d, err := door.NewJudge(ctx, c.Auth, c.Cache, database, log)
	if err != nil {
		_ = database.Close()
		return nil, err
	}
	d.OnClose(closing(database.Close))
	return d, nil
}

func closing(c func() error) func(context.Context) error {
	return func(context.Context) error { return c() }
}
