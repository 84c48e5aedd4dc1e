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
	"github.com/fairlead/fairlead/test/neighbour"
)

// Targets of growth.
const (
	maxGrowth   = 1.2  // of the cost of one of many, from the smallest number of them to the largest
	maxIdleTime = 0.05 // of a core, for the gateway with the largest number of connections
)

const (
	// lossLimit bounds the wait for the last connection event of a gateway that was killed.
	lossLimit = 5 * time.Minute
)

// A crowd is what so many idle connections cost.
type crowd struct {
	connections   int
	perSecond     float64 // log-ins
	memory        float64 // KB of the gateway for a connection
	processor     float64 // share of a core that the idle gateway uses
	redisMemory   float64 // KB for a connection
	redisCommands float64 // in a second, of the idle gateway
	loginTimes    []loginShare
	loginCommands float64       // to Redis, for a log-in
	gone          time.Duration // from the kill of the gateway until the last device's disconnection is stored
}

// A loginShare is the processor time that a log-in takes in one of the processes.
type loginShare struct {
	process string
	took    time.Duration
}

// A growthSizes is how many of everything there are, growing.
type growthSizes struct {
	connections, sessions, applications, devices, triggers []int

	lookups int // of devices

	// publish is how long devices of many applications publish before they are measured, and while they are. Each topic gets less than the
	// 4 KiB at which Kafka begins its index: where that is done for a thousand topics at once, the broker does nothing else for seconds.
	publish time.Duration

	// settle is how long the memory of a process is watched after the last log-in: a gateway gives back what logging in has left behind
	// half a minute after it has become idle. idle is how long it is watched then.
	settle, idle time.Duration
}

// fullGrowth takes about ten minutes.
var (
	fullGrowth = growthSizes{
		connections: []int{1000, 10_000, 50_000}, sessions: []int{1000, 10_000}, applications: []int{1, 100, 1000},
		devices: []int{1000, 100_000, 1_000_000}, triggers: []int{1, 30, 1000},
		lookups: 1000, publish: 5 * time.Second, settle: 45 * time.Second, idle: 30 * time.Second,
	}
	quickGrowth = growthSizes{
		connections: []int{200, 2000}, sessions: []int{50, 300}, applications: []int{1, 20}, devices: []int{100, 10_000}, triggers: []int{1, 20},
		lookups: 100, publish: 3 * time.Second, settle: 20 * time.Second, idle: 10 * time.Second,
	}
)

// measureGrowth measures what one more of everything costs. What cannot be measured keeps nothing else from it.
func measureGrowth(ctx context.Context, s *scene) (rows []row, err error) {
	for _, part := range []struct {
		name string
		grow func(context.Context, *scene) ([]row, error)
	}{
		{"connections", growConnections}, {"sessions", growSessions}, {"applications", growApplications}, {"devices", growDevices},
		{"Triggers", growTriggers},
	} {
		more, failure := part.grow(ctx, s)
		rows = append(rows, more...)
		if failure != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", part.name, failure))
		}
		if ctx.Err() != nil {
			return rows, err
		}
	}
	return rows, err
}

// growthRow tells whether a cost grows at most linearly: what one costs where there are most, to what one costs where there are fewest.
func growthRow(what string, fewest, most int, before, after float64) row {
	growth := after / before
	return row{
		figure: fmt.Sprintf("%s, %d to %d", what, most, fewest), value: ratio(growth),
		target: atMost(maxGrowth).String(), holds: growth <= maxGrowth,
	}
}

// growConnections holds ever more connections, each time on a gateway of its own, which is killed at the end.
func growConnections(ctx context.Context, s *scene) (rows []row, err error) {
	sizes, rows, err := fitting(s.size.growth.connections, "connections")
	if err != nil {
		return nil, err
	}
	largest := sizes[len(sizes)-1]
	survivor, n, err := s.gateway(ctx) // which notices the death of the others
	if err != nil {
		return nil, err
	}
	if err := n.registerIdle(ctx, largest); err != nil {
		return nil, err
	}
	var crowds []crowd
	for _, connections := range sizes {
		c, err := n.hold(ctx, *s.gateways, survivor, connections, s.size.growth)
		if err != nil {
			return rows, fmt.Errorf("with %d connections: %w", connections, err)
		}
		crowds = append(crowds, c)
		rows = append(rows, c.rows()...)
	}
	return append(rows, compareCrowds(crowds, s.size.growth.connections[len(s.size.growth.connections)-1])...), nil
}

// allowConnections raises the limit of open files of this process and of those that it starts for so many connections of one process,
// and tells how many of them it allows: only root may raise it as far as it likes, and not on every machine.
func allowConnections(connections int) (allowed int, err error) {
	const others = 1000
	wanted := uint64(connections + others)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("reading the limit of open files: %w", err)
	}
	raised := syscall.Rlimit{Cur: max(limit.Cur, wanted), Max: max(limit.Max, wanted)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
		return connections, nil
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Max <= others {
		return 0, fmt.Errorf("raising the limit of open files: %w", err)
	}
	return int(limit.Max) - others, nil
}

// fitting are the sizes that the limit of open files allows: in place of those beyond it the largest that it does, with a row that says so.
func fitting(sizes []int, of string) (fit []int, rows []row, err error) {
	most := sizes[len(sizes)-1]
	allowed, err := allowConnections(most)
	if err != nil || allowed == most {
		return sizes, nil, err
	}
	for _, size := range sizes {
		if size < allowed {
			fit = append(fit, size)
		}
	}
	return append(fit, allowed), []row{{
		figure: fmt.Sprintf("%d %s", most, of), value: "none", doubt: fmt.Sprintf("the limit of open files allows %d", allowed),
	}}, nil
}

// hold has a new gateway hold connections, and kills it.
func (n *neighbours) hold(ctx context.Context, binary gatewaybin.Binary, survivor *gatewayProcess, connections int, size growthSizes) (c crowd, err error) {
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
	names, processes := []string{"gateway", "authentication function", "Redis", "Kafka", "PostgreSQL"},
		[]*neighbour.Process{g.Process, survivor.judge.Process, n.redis.Process, n.kafka.Process, n.postgres.Process}
	used, err := cpuTimes(processes...)
	if err != nil {
		return c, err
	}
	holder, report, err := startHolder(ctx, g.address, "", connections)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, holder.end()) }()
	c.connections, c.perSecond = report.Connected, float64(report.Connected)/report.Elapsed.Seconds()
	after, err := cpuTimes(processes...)
	if err != nil {
		return c, err
	}
	for i, name := range names {
		c.loginTimes = append(c.loginTimes, loginShare{name, (after[i] - used[i]) / time.Duration(connections)})
	}
	in, err := readConsumption(ctx, g, client)
	if err != nil {
		return c, err
	}
	c.loginCommands = float64(in.commands-before.commands) / float64(connections)
	if err := c.watch(ctx, g, client, before, size); err != nil {
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
func (c *crowd) watch(ctx context.Context, g *gatewayProcess, client *redis.Client, before consumption, size growthSizes) error {
	smallest, err := smallestResident(ctx, g.Process, size.settle)
	if err != nil {
		return err
	}
	begin, err := readConsumption(ctx, g, client)
	if err != nil {
		return err
	}
	again, err := smallestResident(ctx, g.Process, size.idle)
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
	shares := ""
	for _, share := range c.loginTimes {
		shares += fmt.Sprintf("%s %s; ", share.process, millis(share.took))
	}
	return []row{
		{figure: name + ", log-ins per second", value: whole(c.perSecond)},
		{figure: name + ", commands to Redis for a log-in", value: tenths(c.loginCommands), span: "processor time: " + strings.TrimSuffix(shares, "; ")},
		{figure: name + ", memory of the gateway for each", value: tenths(c.memory) + " KB"},
		{figure: name + ", idle processor time", value: fmt.Sprintf("%.2f %%", 100*c.processor), span: "of a core"},
		{figure: name + ", memory of Redis for each", value: tenths(c.redisMemory) + " KB"},
		{figure: name + ", idle commands to Redis per second", value: tenths(c.redisCommands)},
		{figure: name + ", from kill -9 to the last disconnection event", value: tenths(c.gone.Seconds()) + " s"},
	}
}

// compareCrowds tells whether costs grow at most linearly. What there is with no connection at all does not count: it makes the first
// ones look dear.
func compareCrowds(crowds []crowd, most int) []row {
	first, last := crowds[0], crowds[len(crowds)-1]
	idle := last.processor * float64(most) / float64(last.connections)
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
			figure: fmt.Sprintf("idle processor time of %d connections, from that of %d", most, last.connections),
			value:  fmt.Sprintf("%.2f %%", 100*idle), target: fmt.Sprintf("at most %.0f %% of a core", 100*maxIdleTime), holds: idle <= maxIdleTime,
		},
	}
}
