package devcloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/devcloud/neighbours"
	"github.com/fairlead/fairlead/internal/devcloud/receiver"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/internal/store/sqlite"
)

// checkTimeout bounds asking a neighbour whether it is there.
const checkTimeout = 5 * time.Second

// startNeighbours embeds what is not given, and notes where it is.
func (d *Dev) startNeighbours(ctx context.Context) (*Neighbours, error) {
	n := &Neighbours{Kafka: kafka.DefaultConfig(), Redis: d.config.Redis}
	if err := d.startKafka(ctx, &n.Kafka); err != nil {
		return nil, err
	}
	if n.Redis != "" {
		if err := checkRedis(ctx, n.Redis); err != nil {
			return nil, err
		}
	} else {
		if err := d.startRedis(n); err != nil {
			return nil, err
		}
	}
	var err error
	if n.Store, err = d.openStore(ctx); err != nil {
		return nil, err
	}
	d.onClose(func(context.Context) error { return n.Store.Close() })
	if err := migrate.Up(ctx, n.Store); err != nil {
		return nil, err
	}
	return n, nil
}

// startRedis embeds Redis. With a data folder it keeps who is connected.
func (d *Dev) startRedis(n *Neighbours) error {
	file := ""
	if !d.folder.Temporary() {
		file = d.folder.File("redis.json")
	}
	server, err := neighbours.StartRedis(d.config.RedisAddress, file)
	if err != nil {
		return err
	}
	if sessions := server.Sessions(); sessions > 0 {
		d.logger.Warn(fmt.Sprintf("the last process on this data folder was killed: the sessions of its devices (%d) have ended; "+
			"within seconds applications are told, and get the devices' wills", sessions))
	}
	d.onClose(func(context.Context) error { return server.Close() })
	n.Redis, n.Save = server.URL(), server.Save
	d.note.Redis = n.Redis
	return nil
}

func (d *Dev) startKafka(ctx context.Context, c *kafka.Config) error {
	c.Brokers, c.SecretDir = d.config.Kafka, d.config.KafkaSecret
	if len(c.Brokers) == 0 {
		// A folder that is thrown away anyway need not survive a crash of the machine.
		broker, err := neighbours.StartKafka(neighbours.KafkaOptions{
			Address: d.config.KafkaAddress, Folder: d.folder.File("kafka"), Sync: !d.folder.Temporary(), Logger: d.logger, Failed: d.fail,
		})
		if err != nil {
			return err
		}
		d.onClose(func(context.Context) error { return broker.Close() })
		c.Brokers, c.SecretDir = broker.Addresses(), ""
	}
	d.note.Kafka, d.note.KafkaSecret = c.Brokers, c.SecretDir
	if err := c.Validate(); err != nil {
		return fmt.Errorf("kafka.%w", err)
	}
	return checkKafka(ctx, *c)
}

// checkKafka says early what is missing: a client would go on trying.
func checkKafka(ctx context.Context, c kafka.Config) error {
	client, err := kafka.NewClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("no Kafka broker answers at %s: %w", strings.Join(c.Brokers, ", "), err)
	}
	return nil
}

// checkRedis says early what is missing: the functions would do without Redis.
func checkRedis(ctx context.Context, url string) error {
	options, err := redis.ParseURL(url)
	if err != nil {
		return errors.New("the URL given with --cache-url is not of the form redis://user:password@host:port/database")
	}
	client := redis.NewClient(options)
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("no Redis answers at %s: %w", options.Addr, err)
	}
	return nil
}

func (d *Dev) openStore(ctx context.Context) (*store.Store, error) {
	if d.config.Database == "" {
		d.note.Database = d.folder.File("registry.db")
		return sqlite.Open(ctx, d.note.Database)
	}
	if !strings.HasPrefix(d.config.Database, "postgres://") && !strings.HasPrefix(d.config.Database, "postgresql://") {
		return nil, errors.New("--database-url takes a postgres:// URL; without it the registry is a SQLite file in the data folder")
	}
	return postgres.Open(ctx, d.config.Database)
}

// newReceiver takes every CloudEvent.
func newReceiver() *http.Server { return receiver.Server(receiver.Handler(func(cloudevents.Event) {})) }
