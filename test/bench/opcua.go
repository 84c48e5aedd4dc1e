package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/gatewaybin"
	"github.com/fairlead/fairlead/test/opcuaserver"
)

const (
	opcuaApplication = "bench-opcua"
	opcuaDevice      = "site"

	opcuaMachines  = 10 // devices
	opcuaCounters  = 100
	opcuaNodes     = opcuaMachines * opcuaCounters
	opcuaEvery     = 100 * time.Millisecond // after which each node changes
	opcuaPublished = 100 * time.Millisecond // after which the server sends what it has
	opcuaPerSecond = opcuaNodes * int(time.Second/opcuaEvery)

	// opcuaRounds is how much longer a round is than elsewhere: a bare subscriber uses so little that the steps in which processor time
	// is counted would show.
	opcuaRounds = 4

	// idleMachines are the devices with nodes that do not change.
	idleMachines = 100

	// opcuaLimit bounds the wait until all is stored.
	opcuaLimit = time.Minute
)

// Targets. With the memory, as many nodes as a server may have by default (opcua.maxItems, 100,000) take 400 MB, which is within the limit
// of config/components/opcua.
const (
	maxOPCUARatio = 2.0
	maxNodeMemory = 4.0 // KiB
)

// The folders of the server, each for one who has it monitored.
const (
	forGateway = "Gateway"
	forBare    = "Bare"
	forIdle    = "Idle"
)

// What the names of devices begin with.
const (
	machines  = "machine"
	fewNodes  = "few"
	manyNodes = "many"
)

// allCounters is the pattern of all nodes of a machine.
const allCounters = "Counter*"

// An opcuaScene is a server, and what nodes are monitored by.
type opcuaScene struct {
	*neighbours
	server   *opcuaserver.Server
	control  *opcua.Connection // has the server count
	judge    *functionbin.Function
	gateways gatewaybin.Binary
	folder   string
}

// An opcuaRun is one round of changes for one subscriber.
type opcuaRun struct {
	perThousand time.Duration // processor time of who monitors, for a thousand values
	perSecond   float64       // changes at the server
	after       time.Duration // from the last change until all has arrived
	broker      time.Duration // processor time of Kafka for a million values
	server      float64       // share of a core that the server used
}

// measureOPCUA has the nodes of a server change, and then others stand still.
func measureOPCUA(ctx context.Context, s *scene) ([]row, error) {
	o, err := s.opcua(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := o.measureChanges(ctx, s.size)
	if err != nil {
		return rows, err
	}
	memory, err := o.measureNodes(ctx)
	return append(rows, memory...), err
}

// measureChanges has nodes change for the gateway and for a bare subscriber in turns.
func (o *opcuaScene) measureChanges(ctx context.Context, size size) (rows []row, err error) {
	topic, err := o.follow(ctx, machines)
	if err != nil {
		return nil, err
	}
	defer topic.close()
	gateway, err := o.startGateway(ctx, forGateway, machines, allCounters)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gateway.Close()) }()
	bare, err := startOPCUABare(ctx, o.server.URL())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.end()) }()
	ours := &monitor{opcuaScene: o, folder: forGateway, cpu: gateway.CPUTime, values: topic.values}
	theirs := &monitor{opcuaScene: o, folder: forBare, cpu: bare.cpuTime, values: bare.values}
	for m, warmUp := range map[*monitor]time.Duration{ours: size.warmUp, theirs: size.round} {
		if err := m.await(ctx, opcuaNodes); err != nil {
			return nil, fmt.Errorf("the first values: %w", err)
		}
		if _, err := m.round(ctx, warmUp); err != nil {
			return nil, err
		}
	}
	for range size.rounds {
		for _, m := range []*monitor{ours, theirs} {
			run, err := m.round(ctx, opcuaRounds*size.round)
			if err != nil {
				return nil, err
			}
			m.runs = append(m.runs, run)
		}
	}
	return compareOPCUA(ours, theirs, topic.faults(ours.last), bare.faults), nil
}

// opcua starts the server, and registers the devices. The server ends with the scene.
func (s *scene) opcua(ctx context.Context) (o *opcuaScene, err error) {
	o = &opcuaScene{}
	if o.neighbours, err = s.servers(ctx); err != nil {
		return nil, err
	}
	if err := o.registerOPCUA(ctx); err != nil {
		return nil, err
	}
	if o.judge, err = s.judge(ctx, o.neighbours); err != nil {
		return nil, err
	}
	if o.gateways, err = s.gatewayBinary(ctx); err != nil {
		return nil, err
	}
	if o.folder, err = os.MkdirTemp("", "fairlead-bench-"); err != nil {
		return nil, err
	}
	s.atEnd(func() error { return os.RemoveAll(o.folder) })
	o.server, err = opcuaserver.Start(ctx, opcuaserver.NodeOPCUA, opcuaserver.Options{Every: opcuaEvery, Loads: []opcuaserver.Load{
		{Name: forGateway, Machines: opcuaMachines, Counters: opcuaCounters},
		{Name: forBare, Machines: opcuaMachines, Counters: opcuaCounters},
		{Name: forIdle, Machines: idleMachines, Counters: opcuaCounters},
	}})
	if err != nil {
		return nil, err
	}
	s.atEnd(o.server.Close)
	o.control, err = opcua.Dial(ctx, opcua.EndpointConfig{Name: "control", URL: o.server.URL(), Folder: o.folder}, zap.NewNop())
	if err != nil {
		return nil, err
	}
	s.atEnd(o.control.Close)
	return o, nil
}

// registerOPCUA makes the application with its topic, the gateway device, and the machines.
func (n *neighbours) registerOPCUA(ctx context.Context) (err error) {
	s, err := postgres.Open(ctx, n.postgres.URL())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if _, err := s.ApplyApplication(ctx, &registry.Application{Metadata: registry.Metadata{Name: opcuaApplication}}); err != nil {
		return err
	}
	site, err := benchDevice(0, registry.Password{Kind: registry.PlainPassword, Value: benchPassword})
	if err != nil {
		return err
	}
	site.Metadata = registry.Metadata{Application: opcuaApplication, Name: opcuaDevice}
	devices := []*registry.Device{site}
	for _, name := range []string{machines, fewNodes, manyNodes} {
		for i := range idleMachines {
			devices = append(devices, &registry.Device{
				Metadata: registry.Metadata{Application: opcuaApplication, Name: fmt.Sprintf("%s-%d", name, i+1)},
				Spec:     registry.Sections{registry.SectionGatewaySelector: json.RawMessage(`{"matchNames":["` + opcuaDevice + `"]}`)},
			})
		}
	}
	for _, d := range devices {
		if _, err := s.ApplyDevice(ctx, d); err != nil {
			return err
		}
	}
	return kafka.EnsureTopics(ctx, n.config(), partitions, event.Topic(opcuaApplication))
}

// startGateway starts the gateway as it is deployed, with those nodes of each machine in a folder that a pattern matches.
func (o *opcuaScene) startGateway(ctx context.Context, folder, devices, nodes string) (*gatewaybin.Gateway, error) {
	own, err := os.MkdirTemp(o.folder, "gateway-")
	if err != nil {
		return nil, err
	}
	mapping := filepath.Join(own, "mapping.yaml")
	text := fmt.Sprintf(`namespaces: {t: %q}
servers:
- name: hall
  url: %s
  devices:
  - path: Objects/t:%s/t:Machine*
    name: %s-{1}
    channels: [{name: "{node}", publishing: %s, sampling: 0s, queue: 1000, nodes: ["t:%s"]}]
`, opcuaserver.Namespace, o.server.URL(), folder, devices, opcuaPublished, nodes)
	if err := os.WriteFile(mapping, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return o.gateways.Start(ctx, "opcua",
		"FAIRLEAD_OPCUA_MAPPING="+mapping, "FAIRLEAD_OPCUA_FOLDER="+filepath.Join(own, "state"),
		"FAIRLEAD_OPCUA_GATEWAY_APPLICATION="+opcuaApplication, "FAIRLEAD_OPCUA_GATEWAY_DEVICE="+opcuaDevice,
		"FAIRLEAD_OPCUA_GATEWAY_PASSWORD="+benchPassword,
		"FAIRLEAD_AUTH_CLIENT_URL="+o.judge.URL(), "FAIRLEAD_CACHE_URL="+o.redis.URL(),
		"FAIRLEAD_KAFKA_BROKERS="+strings.Join(o.kafka.Brokers(), ","))
}

// A monitor has the nodes of a folder monitored.
type monitor struct {
	*opcuaScene
	folder string
	cpu    func() (time.Duration, error)
	values func(context.Context) (int, error) // that have arrived
	last   int                                // number that the counters have come to
	runs   []opcuaRun
}

// await waits until so many values have arrived, and checks that no more have.
func (m *monitor) await(ctx context.Context, values int) error {
	const often = 20 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, opcuaLimit)
	defer cancel()
	for {
		n, err := m.values(ctx)
		if err != nil {
			return err
		}
		if n > values {
			return fmt.Errorf("%s: %d values have arrived, more than %d", m.folder, n, values)
		}
		if n == values {
			return nil
		}
		select {
		case <-time.After(often):
		case <-ctx.Done():
			return fmt.Errorf("%s: %d of %d values have arrived: %w", m.folder, n, values, ctx.Err())
		}
	}
}

// round has the nodes change for a while, and waits until all has arrived.
func (m *monitor) round(ctx context.Context, duration time.Duration) (r opcuaRun, err error) {
	before, err := m.used()
	if err != nil {
		return r, err
	}
	began := time.Now()
	if err := m.load(ctx, m.folder); err != nil {
		return r, err
	}
	select {
	case <-time.After(duration):
	case <-ctx.Done():
		return r, ctx.Err()
	}
	if err := m.load(ctx, ""); err != nil {
		return r, err
	}
	ended := time.Now()
	last, err := m.counted(ctx, m.folder)
	if err != nil {
		return r, err
	}
	if err := m.await(ctx, (last+1)*opcuaNodes); err != nil { // each began at 0
		return r, err
	}
	r.after = time.Since(ended)
	after, err := m.used()
	if err != nil {
		return r, err
	}
	values := float64((last - m.last) * opcuaNodes)
	m.last = last
	r.perThousand = time.Duration(float64(after[0]-before[0]) * 1000 / values)
	r.broker = time.Duration(float64(after[1]-before[1]) * 1e6 / values)
	r.perSecond = values / ended.Sub(began).Seconds()
	r.server = (after[2] - before[2]).Seconds() / time.Since(began).Seconds()
	return r, nil
}

// used are the processor times of who monitors, Kafka and the server.
func (m *monitor) used() ([]time.Duration, error) {
	own, err := m.cpu()
	if err != nil {
		return nil, err
	}
	others, err := cpuTimes(m.kafka.Process, m.server.Process)
	return append([]time.Duration{own}, others...), err
}

// load has the counters of a folder go on, and all others stand still.
func (o *opcuaScene) load(ctx context.Context, folder string) error {
	status, err := o.control.Write(ctx, benchNode("Load"), json.RawMessage(strconv.Quote(folder)))
	if err == nil && !status.Good() {
		err = status
	}
	if err != nil {
		return fmt.Errorf("telling the server which nodes change: %w", err)
	}
	return nil
}

// counted is the number that the counters of a folder have come to.
func (o *opcuaScene) counted(ctx context.Context, folder string) (int, error) {
	values, err := o.control.Read(ctx, benchNode(folder+".Machine1.Counter1"))
	if err != nil {
		return 0, fmt.Errorf("reading a counter: %w", err)
	}
	n, ok := values[0].Value.Float()
	if !ok {
		return 0, fmt.Errorf("reading a counter: %s", values[0].Status)
	}
	return int(n), nil
}

func benchNode(name string) opcua.NodeRef {
	return opcua.NodeRef{Namespace: opcuaserver.Namespace, Kind: 's', Identifier: name}
}

// compareOPCUA makes the rows of the rounds.
func compareOPCUA(ours, theirs *monitor, faults, bareFaults int) []row {
	of := func(m *monitor, f func(opcuaRun) float64) (all sample[float64]) {
		for _, r := range m.runs {
			all = append(all, f(r))
		}
		return all
	}
	cost := func(r opcuaRun) float64 { return r.perThousand.Seconds() * 1e3 }
	speed := func(r opcuaRun) float64 { return r.perSecond }
	own, bare := of(ours, cost), of(theirs, cost)
	var ratios sample[float64]
	for i := range own {
		ratios = append(ratios, own[i]/bare[i])
	}
	changes := func(name string, m *monitor) row {
		all := of(m, speed)
		r := row{figure: "changes per second, for the " + name, value: whole(all.median()), span: all.span(whole)}
		const enough = 0.95
		if all.median() < enough*float64(opcuaPerSecond) {
			r.doubt = "the server is too slow"
		}
		return r
	}
	servers, delays := of(ours, func(r opcuaRun) float64 { return r.server }), of(ours, func(r opcuaRun) float64 { return float64(r.after) })
	broker := of(ours, func(r opcuaRun) float64 { return r.broker.Seconds() })
	return []row{
		changes("gateway", ours),
		changes("bare subscriber", theirs),
		{figure: "node-opcua, share of a core", value: percent(servers.median()), span: servers.span(percent)},
		{
			figure: "gateway, values that are missing, out of order or twice in Kafka", value: strconv.Itoa(faults),
			span: fmt.Sprintf("of %d", ours.last*opcuaNodes), target: "exactly 0", holds: faults == 0,
		},
		{figure: "bare subscriber, the same of what it got", value: strconv.Itoa(bareFaults), span: fmt.Sprintf("of %d", theirs.last*opcuaNodes)},
		{
			figure: "from the last change until all is in Kafka", value: millis(time.Duration(delays.median())),
			span: delays.span(func(v float64) string { return millis(time.Duration(v)) }),
		},
		{figure: "kafka meanwhile, processor seconds per million", value: tenths(broker.median()), span: broker.span(tenths)},
		{figure: "bare subscriber, processor ms for 1,000 values", value: ratio(bare.median()), span: bare.span(ratio)},
		{figure: "gateway, processor ms for 1,000 values", value: ratio(own.median()), span: own.span(ratio)},
		ratioRow("processor time of a value, gateway to bare subscriber", ratios, atMost(maxOPCUARatio)),
	}
}

// measureNodes compares the memory of two gateways, one of which has all nodes of the machines monitored, the other one of each.
func (o *opcuaScene) measureNodes(ctx context.Context) ([]row, error) {
	var watching sync.WaitGroup
	var few, all int64
	var problems [2]error
	watching.Go(func() { few, problems[0] = o.watchNodes(ctx, fewNodes, "Counter1", idleMachines) })
	watching.Go(func() { all, problems[1] = o.watchNodes(ctx, manyNodes, allCounters, idleMachines*opcuaCounters) })
	watching.Wait()
	if err := errors.Join(problems[:]...); err != nil {
		return nil, err
	}
	const more = idleMachines * (opcuaCounters - 1)
	each := float64(all-few) / more / 1024
	return []row{{
		figure: fmt.Sprintf("gateway, resident memory of each of %d more nodes", more),
		value:  tenths(each) + " KiB", target: "at most " + tenths(maxNodeMemory) + " KiB", holds: each <= maxNodeMemory,
	}}, nil
}

// watchNodes is the smallest resident memory of a gateway once it has stored the first value of each of its nodes.
func (o *opcuaScene) watchNodes(ctx context.Context, devices, nodes string, count int) (smallest int64, err error) {
	topic, err := o.follow(ctx, devices)
	if err != nil {
		return 0, err
	}
	defer topic.close()
	g, err := o.startGateway(ctx, forIdle, devices, nodes)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	m := &monitor{opcuaScene: o, folder: devices, values: topic.values}
	if err := m.await(ctx, count); err != nil {
		return 0, err
	}
	return smallestResident(ctx, g.Process, settling)
}
