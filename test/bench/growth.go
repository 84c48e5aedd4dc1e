package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/gatewaybin"
)

// Targets of growth.
const (
	maxGrowth   = 1.2  // of the cost of a connection, from the smallest number of connections to the largest
	maxIdleTime = 0.05 // of a core, for the gateway with the largest number of connections
)

const (
	// idleWatch is how long an idle gateway is watched.
	idleWatch = 30 * time.Second

	// lossLimit bounds the wait for the last connection event of a gateway that was killed.
	lossLimit = 5 * time.Minute
)

// A crowd is what so many idle connections cost.
type crowd struct {
	connections   int
	perSecond     float64       // log-ins
	memory        float64       // KB of the gateway for a connection
	processor     float64       // share of a core that the idle gateway uses
	redisMemory   float64       // KB for a connection
	redisCommands float64       // in a second, of the idle gateway
	gone          time.Duration // from the kill of the gateway until the last device's disconnection is stored
}

// measureGrowth holds ever more connections, each time on a gateway of its own, which is killed at the end.
func measureGrowth(ctx context.Context, s *scene) (rows []row, err error) {
	largest := s.size.crowds[len(s.size.crowds)-1]
	if err := allowFiles(largest); err != nil {
		return nil, err
	}
	survivor, n, err := s.gateway(ctx) // which notices the death of the others
	if err != nil {
		return nil, err
	}
	if err := n.registerIdle(ctx, largest); err != nil {
		return nil, err
	}
	var crowds []crowd
	for _, connections := range s.size.crowds {
		c, err := n.hold(ctx, *s.gateways, survivor, connections)
		if err != nil {
			return rows, fmt.Errorf("with %d connections: %w", connections, err)
		}
		crowds = append(crowds, c)
		rows = append(rows, c.rows()...)
	}
	return append(rows, compareCrowds(crowds)...), nil
}

// allowFiles raises the limit of open files of this process and of those that it starts, for so many connections of one process.
func allowFiles(connections int) error {
	const others = 1000
	wanted := uint64(connections + others)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= wanted {
		return err
	}
	limit.Cur, limit.Max = max(limit.Cur, wanted), max(limit.Max, wanted)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raising the limit of open files to %d, which root may: %w", wanted, err)
	}
	return nil
}

// hold has a new gateway hold connections, and kills it.
func (n *neighbours) hold(ctx context.Context, binary gatewaybin.Binary, survivor *gatewayProcess, connections int) (c crowd, err error) {
	g, err := startGateway(ctx, binary, n, survivor.judge)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	options, err := redis.ParseURL(n.redis.URL())
	if err != nil {
		return c, err
	}
	client := redis.NewClient(options)
	defer client.Close()
	before, err := readConsumption(ctx, g, client)
	if err != nil {
		return c, err
	}
	holder, report, err := startHolder(ctx, g.address, "", connections)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, holder.end()) }()
	c.connections, c.perSecond = report.Connected, float64(report.Connected)/report.Elapsed.Seconds()
	if err := c.watch(ctx, g, client, before); err != nil {
		return c, err
	}
	c.gone, err = n.kill(ctx, g, connections)
	return c, err
}

// A consumption is what a gateway and Redis have used so far.
type consumption struct {
	at                  time.Time
	memory, redisMemory int64
	processor           time.Duration
	commands            int64
}

func readConsumption(ctx context.Context, g *gatewayProcess, client *redis.Client) (u consumption, err error) {
	u.at = time.Now()
	if u.memory, err = g.Resident(); err != nil {
		return u, err
	}
	if u.processor, err = g.CPUTime(); err != nil {
		return u, err
	}
	info, err := client.Info(ctx, "memory", "stats").Result()
	if err != nil {
		return u, fmt.Errorf("asking Redis: %w", err)
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "used_memory":
			u.redisMemory, err = strconv.ParseInt(value, 10, 64)
		case "total_commands_processed":
			u.commands, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil {
			return u, fmt.Errorf("reading what Redis uses: %w", err)
		}
	}
	return u, nil
}

// watch sees what the gateway uses while its connections are idle. What logging in has left behind goes first.
func (c *crowd) watch(ctx context.Context, g *gatewayProcess, client *redis.Client, before consumption) error {
	smallest, err := smallestResident(ctx, g.Process, settling)
	if err != nil {
		return err
	}
	begin, err := readConsumption(ctx, g, client)
	if err != nil {
		return err
	}
	again, err := smallestResident(ctx, g.Process, idleWatch)
	if err != nil {
		return err
	}
	end, err := readConsumption(ctx, g, client)
	if err != nil {
		return err
	}
	perConnection := func(bytes int64) float64 { return float64(bytes) / 1024 / float64(c.connections) }
	elapsed := end.at.Sub(begin.at).Seconds()
	c.memory = perConnection(min(smallest, again) - before.memory)
	c.redisMemory = perConnection(end.redisMemory - before.redisMemory)
	c.processor = (end.processor - begin.processor).Seconds() / elapsed
	c.redisCommands = float64(end.commands-begin.commands) / elapsed
	return nil
}

// kill kills the gateway, and waits until each of its devices' disconnection is stored.
func (n *neighbours) kill(ctx context.Context, g *gatewayProcess, connections int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, lossLimit)
	defer cancel()
	client, err := kafka.NewClient(n.config(), kgo.ConsumeTopics(event.Topic(application)), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return 0, err
	}
	killed := time.Now()
	g.Kill()
	devices := map[string]bool{}
	for len(devices) < connections {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("after the disconnection of %d of %d devices: %w", len(devices), connections, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Value) == `{"connected":false}` {
				devices[string(r.Key)] = true
			}
		})
	}
	return time.Since(killed), nil
}

func (c crowd) rows() []row {
	name := fmt.Sprintf("%d connections", c.connections)
	return []row{
		{figure: name + ", log-ins per second", value: whole(c.perSecond)},
		{figure: name + ", memory of the gateway for each", value: tenths(c.memory) + " KB"},
		{figure: name + ", idle processor time", value: fmt.Sprintf("%.2f %%", 100*c.processor), span: "of a core"},
		{figure: name + ", memory of Redis for each", value: tenths(c.redisMemory) + " KB"},
		{figure: name + ", idle commands to Redis per second", value: tenths(c.redisCommands)},
		{figure: name + ", from kill -9 to the last disconnection event", value: tenths(c.gone.Seconds()) + " s"},
	}
}

// compareCrowds tells whether costs grow at most linearly.
func compareCrowds(crowds []crowd) []row {
	first, last := crowds[0], crowds[len(crowds)-1]
	growth := last.memory / first.memory
	return []row{
		{
			figure: fmt.Sprintf("memory of a connection, %d to %d", last.connections, first.connections), value: ratio(growth),
			target: atMost(maxGrowth).String(), holds: growth <= maxGrowth,
		},
		{
			figure: fmt.Sprintf("idle processor time of %d connections", last.connections), value: fmt.Sprintf("%.2f %%", 100*last.processor),
			target: fmt.Sprintf("at most %.0f %% of a core", 100*maxIdleTime), holds: last.processor <= maxIdleTime,
		},
	}
}
