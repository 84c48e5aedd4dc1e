package assembly

import (
	"context"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/door"
)

// openDoor opens the way to the registry that the configuration asks for: to the authentication function, or to Redis and
// PostgreSQL themselves.
func openDoor(ctx context.Context, c Config, log *zap.Logger) (*door.Door, error) {
	if !c.judges() {
		return door.NewClient(ctx, c.Auth, c.Cache)
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
	d.OnClose(func(context.Context) error { return database.Close() })
	return d, nil
}
