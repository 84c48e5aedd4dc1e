package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/gatewaybin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// partitions of the application's topic. A few, as a topic of a small application has.
const partitions = 4

// A scene is what measurements share: the neighbours, the binary and what must be closed. Each part is made when it is
// first needed, since a micro-benchmark needs no Kafka.
type scene struct {
	size       size
	neighbours *neighbours
	binary     *functionbin.Binary
	gateways   *gatewaybin.Binary
	closers    []func() error // of what all measurements share
	own        []func() error // of what belongs to the measurement that runs
}

type neighbours struct {
	kafka    *neighbour.Kafka
	redis    *neighbour.Redis
	postgres *neighbour.Postgres
}

// atEnd has something closed at the end, in the reverse order.
func (s *scene) atEnd(f func() error) { s.closers = append(s.closers, f) }

// afterwards has something closed after the measurement, in the reverse order, so that it does not disturb the next one.
func (s *scene) afterwards(f func() error) { s.own = append(s.own, f) }

func (s *scene) close() error { return closeAll(&s.closers) }

func (s *scene) closeOwn() error { return closeAll(&s.own) }

func closeAll(closers *[]func() error) (err error) {
	for _, f := range slices.Backward(*closers) {
		err = errors.Join(err, f())
	}
	*closers = nil
	return err
}

// servers starts the neighbours and fills them.
func (s *scene) servers(ctx context.Context) (*neighbours, error) {
	if s.neighbours != nil {
		return s.neighbours, nil
	}
	n := &neighbours{}
	s.atEnd(n.close)
	if err := n.start(ctx); err != nil {
		return nil, err
	}
	if err := n.fill(ctx); err != nil {
		return nil, err
	}
	s.neighbours = n
	return n, nil
}

// start starts all three at once: Kafka alone takes some seconds.
func (n *neighbours) start(ctx context.Context) error {
	var wait sync.WaitGroup
	problems := make([]error, 3)
	wait.Go(func() { n.kafka, problems[0] = neighbour.StartKafka(ctx) })
	wait.Go(func() { n.redis, problems[1] = neighbour.StartRedis(ctx) })
	wait.Go(func() { n.postgres, problems[2] = neighbour.StartPostgres(ctx) })
	wait.Wait()
	return errors.Join(problems...)
}

func (n *neighbours) close() (err error) {
	if n.kafka != nil {
		err = errors.Join(err, n.kafka.Close())
	}
	if n.redis != nil {
		err = errors.Join(err, n.redis.Close())
	}
	if n.postgres != nil {
		err = errors.Join(err, n.postgres.Close())
	}
	return err
}

// fill registers the devices and makes the topic.
func (n *neighbours) fill(ctx context.Context) (err error) {
	registry, err := postgres.Open(ctx, n.postgres.URL())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, registry.Close()) }()
	if err := migrate.Up(ctx, registry); err != nil {
		return err
	}
	if _, err := registry.ApplyApplication(ctx, benchApplication()); err != nil {
		return err
	}
	hashes, err := benchHashes()
	if err != nil {
		return err
	}
	for i := range publishers {
		device, err := benchDevice(i, hashes[i%len(hashes)])
		if err != nil {
			return err
		}
		if _, err := registry.ApplyDevice(ctx, device); err != nil {
			return err
		}
	}
	return kafka.EnsureTopics(ctx, n.config(), partitions, event.Topic(application))
}

func (n *neighbours) config() kafka.Config {
	c := kafka.DefaultConfig()
	c.Brokers = n.kafka.Brokers()
	return c
}

// environment points a function at the neighbours.
func (n *neighbours) environment() map[string]string {
	return map[string]string{
		"FAIRLEAD_FUNCTION":      "telemetry",
		"FAIRLEAD_DATABASE_URL":  n.postgres.URL(),
		"FAIRLEAD_CACHE_URL":     n.redis.URL(),
		"FAIRLEAD_KAFKA_BROKERS": strings.Join(n.kafka.Brokers(), ","),
	}
}

// settings are the environment as NAME=value.
func (n *neighbours) settings() (list []string) {
	for name, value := range n.environment() {
		list = append(list, name+"="+value)
	}
	return list
}

// function builds the binary.
func (s *scene) function(ctx context.Context) (functionbin.Binary, error) {
	if s.binary != nil {
		return *s.binary, nil
	}
	dir, err := os.MkdirTemp("", "fairlead-bench-")
	if err != nil {
		return functionbin.Binary{}, err
	}
	s.atEnd(func() error { return os.RemoveAll(dir) })
	binary, err := functionbin.Build(ctx, filepath.Clean(dir))
	if err != nil {
		return functionbin.Binary{}, err
	}
	s.binary = &binary
	return binary, nil
}

// telemetry starts the function against the neighbours. Who calls it closes it.
func (s *scene) telemetry(ctx context.Context) (*functionbin.Function, *neighbours, error) {
	n, err := s.servers(ctx)
	if err != nil {
		return nil, nil, err
	}
	binary, err := s.function(ctx)
	if err != nil {
		return nil, nil, err
	}
	f, err := binary.Start(ctx, "telemetry", n.settings()...)
	if err != nil {
		return nil, nil, fmt.Errorf("starting telemetry: %w", err)
	}
	return f, n, nil
}
