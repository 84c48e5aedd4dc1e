package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/test/neighbour"
)

// maxLookupGrowth is the target of the median of look-ups, from the smallest registry to the largest: an index gets deeper by a step or two.
const maxLookupGrowth = 2.0

// growDevices asks ever larger registries for devices that nobody has asked for, each with a PostgreSQL and a Redis of its own.
func growDevices(ctx context.Context, s *scene) (rows []row, err error) {
	sizes := s.size.growth.devices
	var lookups, bytes []float64
	for _, devices := range sizes {
		l, err := lookUp(ctx, devices, min(devices, s.size.growth.lookups))
		if err != nil {
			return rows, fmt.Errorf("with %d: %w", devices, err)
		}
		lookups, bytes = append(lookups, float64(l.times.median())), append(bytes, l.stored)
		name := fmt.Sprintf("%d devices", devices)
		rows = append(rows,
			row{
				figure: name + ", log-in with nothing cached", value: "p50 " + millis(l.times.median()), span: "p99 " + millis(l.times.quantile(0.99)),
			},
			row{figure: name + ", PostgreSQL on disk for each", value: whole(l.stored) + " bytes"},
			row{figure: name + ", memory of Redis for a document", value: whole(l.cached) + " bytes"})
	}
	last := len(sizes) - 1
	growth := lookups[last] / lookups[0]
	return append(rows,
		row{
			figure: fmt.Sprintf("median of a look-up, %d to %d devices", sizes[last], sizes[0]), value: ratio(growth),
			target: atMost(maxLookupGrowth).String(), holds: growth <= maxLookupGrowth,
		},
		growthRow("PostgreSQL on disk for a device", sizes[0], sizes[last], bytes[0], bytes[last])), nil
}

// A lookup is what a registry of some size shows.
type lookup struct {
	times          sample[time.Duration]
	stored, cached float64 // bytes of a device in PostgreSQL, and in Redis
}

func lookUp(ctx context.Context, devices, lookups int) (l lookup, err error) {
	server, err := neighbour.StartPostgres(ctx)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	cache, err := neighbour.StartRedis(ctx)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, cache.Close()) }()
	options, err := redis.ParseURL(cache.URL())
	if err != nil {
		return l, err
	}
	client := redis.NewClient(options)
	defer client.Close()
	f, err := newFleet(ctx, server.URL(), devices)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	conn, err := pgx.Connect(ctx, server.URL())
	if err != nil {
		return l, err
	}
	defer conn.Close(ctx)
	var size int64
	if err := conn.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&size); err != nil {
		return l, fmt.Errorf("asking for the size of the database: %w", err)
	}
	l.stored = float64(size) / float64(devices)
	before, err := usedMemory(ctx, client)
	if err != nil {
		return l, err
	}
	if l.times, _, err = f.authenticate(ctx, cache.URL(), lookups); err != nil {
		return l, err
	}
	after, err := usedMemory(ctx, client)
	l.cached = float64(after-before) / float64(lookups)
	return l, err
}
