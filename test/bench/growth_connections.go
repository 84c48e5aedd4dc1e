package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/gatewaybin"
	"github.com/fairlead/fairlead/test/neighbour"
)

const (
	// maxIdleTime is the target of what the gateways use of a core with the largest number of connections.
	maxIdleTime = 0.05

	// lossLimit bounds the wait for the last connection event of gateways that were killed.
	lossLimit = 5 * time.Minute
)

// A crowd is what so many idle connections cost.
type crowd struct {
	connections   int
	gateways      int
	perSecond     float64 // log-ins
	memory        float64 // KB of the gateways for a connection
	processor     float64 // share of a core that the idle gateways use
	redisMemory   float64 // KB for a connection
	redisCommands float64 // in a second, of the idle gateways
	loginTimes    []loginShare
	loginCommands float64       // to Redis, for a log-in
	gone          time.Duration // from the kill of the gateways until the last device's disconnection is stored
}

// A loginShare is the processor time that a log-in takes in one kind of process.
type loginShare struct {
	process string
	took    time.Duration
}

// growConnections holds ever more connections, each time on gateways of their own, which are killed at the end.
func growConnections(ctx context.Context, s *scene) (rows []row, err error) {
	sizes := s.size.growth.connections
	largest := sizes[len(sizes)-1]
	allowed, err := allowConnections(largest)
	if err != nil {
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
	for _, connections := range sizes {
		c, err := n.hold(ctx, *s.gateways, survivor, connections, allowed, s.size.growth)
		if err != nil {
			return rows, fmt.Errorf("with %d connections: %w", connections, err)
		}
		crowds = append(crowds, c)
		rows = append(rows, c.rows()...)
	}
	return append(rows, compareCrowds(crowds)...), nil
}

// hold has new gateways hold connections, as few of them as the limit of open files allows, and kills them.
func (n *neighbours) hold(
	ctx context.Context, binary gatewaybin.Binary, survivor *gatewayProcess, connections, allowed int, size growthSizes,
) (c crowd, err error) {
	c = crowd{connections: connections, gateways: (connections + allowed - 1) / allowed}
	var holders gatewayGroup
	defer func() { err = errors.Join(err, holders.close()) }()
	for range c.gateways {
		g, err := startGateway(ctx, binary, n, survivor.judge)
		if err != nil {
			return c, err
		}
		holders.gateways = append(holders.gateways, g)
	}
	options, err := redis.ParseURL(n.redis.URL())
	if err != nil {
		return c, err
	}
	client := redis.NewClient(options)
	defer client.Close()
	before, err := holders.consumption(ctx, client)
	if err != nil {
		return c, err
	}
	if err := c.logIn(ctx, n, &holders, survivor); err != nil {
		return c, err
	}
	in, err := holders.consumption(ctx, client)
	if err != nil {
		return c, err
	}
	c.loginCommands = float64(in.commands-before.commands) / float64(connections)
	if err := c.watch(ctx, &holders, client, before, size); err != nil {
		return c, err
	}
	c.gone, err = n.kill(ctx, &holders, connections)
	return c, err
}

// logIn connects the devices, as many to each gateway.
func (c *crowd) logIn(ctx context.Context, n *neighbours, holders *gatewayGroup, survivor *gatewayProcess) error {
	others := []*neighbour.Process{survivor.judge.Process, n.redis.Process, n.kafka.Process, n.postgres.Process}
	before, err := cpuTimes(append(others, holders.processes()...)...)
	if err != nil {
		return err
	}
	var elapsed time.Duration
	for i, g := range holders.gateways {
		first, next := i*c.connections/c.gateways, (i+1)*c.connections/c.gateways
		holder, report, err := startHolder(ctx, g.address, "", first, next-first)
		if err != nil {
			return err
		}
		holders.clients = append(holders.clients, holder)
		elapsed += report.Elapsed
	}
	c.perSecond = float64(c.connections) / elapsed.Seconds()
	after, err := cpuTimes(append(others, holders.processes()...)...)
	if err != nil {
		return err
	}
	for i, name := range []string{"authentication function", "Redis", "Kafka", "PostgreSQL", "gateway"} {
		c.loginTimes = append(c.loginTimes, loginShare{process: name})
		last := i + 1
		if i == len(others) {
			last = len(after)
		}
		for j := i; j < last; j++ {
			c.loginTimes[i].took += (after[j] - before[j]) / time.Duration(c.connections)
		}
	}
	return nil
}

// watch sees what the gateways use while their connections are idle. What logging in has left behind goes first.
func (c *crowd) watch(ctx context.Context, holders *gatewayGroup, client *redis.Client, before consumption, size growthSizes) error {
	smallest, err := smallestResident(ctx, size.settle, holders.processes()...)
	if err != nil {
		return err
	}
	begin, err := holders.consumption(ctx, client)
	if err != nil {
		return err
	}
	again, err := smallestResident(ctx, size.idle, holders.processes()...)
	if err != nil {
		return err
	}
	end, err := holders.consumption(ctx, client)
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

// A gatewayGroup is gateways, and the processes that hold connections of them.
type gatewayGroup struct {
	gateways []*gatewayProcess
	clients  []*companion
}

func (g *gatewayGroup) processes() (processes []*neighbour.Process) {
	for _, gateway := range g.gateways {
		processes = append(processes, gateway.Process)
	}
	return processes
}

func (g *gatewayGroup) close() (err error) {
	for _, client := range g.clients {
		err = errors.Join(err, client.end())
	}
	for _, gateway := range g.gateways {
		err = errors.Join(err, gateway.Close())
	}
	return err
}

// A consumption is what gateways and Redis have used so far.
type consumption struct {
	at                  time.Time
	memory, redisMemory int64
	processor           time.Duration
	commands            int64
}

func (g *gatewayGroup) consumption(ctx context.Context, client *redis.Client) (u consumption, err error) {
	u.at = time.Now()
	for _, p := range g.processes() {
		memory, err := p.Resident()
		if err != nil {
			return u, err
		}
		processor, err := p.CPUTime()
		if err != nil {
			return u, err
		}
		u.memory, u.processor = u.memory+memory, u.processor+processor
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

// kill kills the gateways, and waits until each of their devices' disconnection is stored.
func (n *neighbours) kill(ctx context.Context, holders *gatewayGroup, connections int) (time.Duration, error) {
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
	for _, g := range holders.gateways {
		g.Kill()
	}
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
	if c.gateways > 1 {
		name += fmt.Sprintf(" on %d gateways, as the limit of open files demands", c.gateways)
	}
	rows := []row{
		{figure: name},
		{figure: "  log-ins per second", value: whole(c.perSecond)},
		{figure: "  commands to Redis for a log-in", value: tenths(c.loginCommands)},
	}
	for _, share := range c.loginTimes {
		rows = append(rows, row{figure: "  processor time of a log-in, " + share.process, value: millis(share.took)})
	}
	return append(rows, []row{
		{figure: "  memory of the gateway for each", value: tenths(c.memory) + " KB"},
		{figure: "  idle processor time", value: fmt.Sprintf("%.2f %%", 100*c.processor), span: "of a core"},
		{figure: "  memory of Redis for each", value: tenths(c.redisMemory) + " KB"},
		{figure: "  idle commands to Redis per second", value: tenths(c.redisCommands)},
		{figure: "  from kill -9 to the last disconnection event", value: tenths(c.gone.Seconds()) + " s"},
	}...)
}

// compareCrowds tells whether costs grow at most linearly. What there is with no connection at all does not count: it makes the first
// ones look dear.
func compareCrowds(crowds []crowd) []row {
	first, last := crowds[0], crowds[len(crowds)-1]
	grow := func(what string, cost func(crowd) float64) row {
		return growthRow(what, first.connections, last.connections, cost(first), cost(last))
	}
	each := func(c crowd, total float64) float64 { return total / float64(c.connections) }
	return []row{
		grow("memory of a connection", func(c crowd) float64 { return c.memory }),
		grow("memory of Redis for a connection", func(c crowd) float64 { return c.redisMemory }),
		grow("time of a log-in", func(c crowd) float64 { return 1 / c.perSecond }),
		grow("idle processor time of a connection", func(c crowd) float64 { return each(c, c.processor) }),
		grow("idle commands to Redis for a connection", func(c crowd) float64 { return each(c, c.redisCommands) }),
		grow("time to make the loss of a connection known", func(c crowd) float64 { return each(c, c.gone.Seconds()) }),
		{
			figure: fmt.Sprintf("idle processor time of %d connections", last.connections), value: fmt.Sprintf("%.2f %%", 100*last.processor),
			target: fmt.Sprintf("at most %.0f %% of a core", 100*maxIdleTime), holds: last.processor <= maxIdleTime,
		},
	}
}
