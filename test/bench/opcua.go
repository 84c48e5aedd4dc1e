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
	forEach     = "Each"
	forTogether = "Together"
	forBare     = "Bare"
	forIdle     = "Idle"
)

// What the names of devices begin with.
const (
	eachNode      = "each"
	togetherNodes = "together"
	fewNodes      = "few"
	manyNodes     = "many"
)

// allTogether is the channel of all nodes of a machine in one event.
const allTogether = "all"

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

// measureChanges has nodes change for two gateways and for a bare subscriber in turns. One gateway makes an event of each value, the
// other one of all values of a machine that come together.
func (o *opcuaScene) measureChanges(ctx context.Context, size size) (rows []row, err error) {
	var gateways []*monitor
	for _, g := range []struct{ folder, devices, channel string }{
		{forEach, eachNode, `{name: "{node}"`}, {forTogether, togetherNodes, `{name: ` + allTogether + `, together: true`},
	} {
		topic, err := o.follow(ctx, g.devices)
		if err != nil {
			return nil, err
		}
		defer topic.close()
		gateway, err := o.startGateway(ctx, g.folder, g.devices, g.channel, allCounters)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, gateway.Close()) }()
		gateways = append(gateways, &monitor{opcuaScene: o, folder: g.folder, cpu: gateway.CPUTime, values: topic.values, faults: topic.faults})
	}
	bare, err := startOPCUABare(ctx, o.server.URL())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.end()) }()
	theirs := &monitor{opcuaScene: o, folder: forBare, cpu: bare.cpuTime, values: bare.values, faults: bare.faults}
	all := append(gateways, theirs)
	for _, m := range all {
		if err := m.await(ctx, opcuaNodes); err != nil {
			return nil, fmt.Errorf("the first values: %w", err)
		}
		if _, err := m.round(ctx, size.warmUp/time.Duration(len(all))); err != nil {
			return nil, err
		}
	}
	for range size.rounds {
		for _, m := range all {
			run, err := m.round(ctx, opcuaRounds*size.round)
			if err != nil {
				return nil, err
			}
			m.runs = append(m.runs, run)
		}
	}
	return compareOPCUA(gateways[0], gateways[1], theirs), nil
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
	s.afterwards(func() error { return os.RemoveAll(o.folder) })
	o.server, err = opcuaserver.Start(ctx, opcuaserver.NodeOPCUA, opcuaserver.Options{Every: opcuaEvery, Loads: []opcuaserver.Load{
		{Name: forEach, Machines: opcuaMachines, Counters: opcuaCounters},
		{Name: forTogether, Machines: opcuaMachines, Counters: opcuaCounters},
		{Name: forBare, Machines: opcuaMachines, Counters: opcuaCounters},
		{Name: forIdle, Machines: idleMachines, Counters: opcuaCounters},
	}})
	if err != nil {
		return nil, err
	}
	s.afterwards(o.server.Close)
	o.control, err = opcua.Dial(ctx, opcua.EndpointConfig{Name: "control", URL: o.server.URL(), Folder: o.folder}, zap.NewNop())
	if err != nil {
		return nil, err
	}
	s.afterwards(o.control.Close)
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
	for _, name := range []string{eachNode, togetherNodes, fewNodes, manyNodes} {
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

// startGateway starts the gateway as it is deployed, with those nodes of each machine in a folder that a pattern matches, in a channel
// that begins so in YAML.
func (o *opcuaScene) startGateway(ctx context.Context, folder, devices, channel, nodes string) (*gatewaybin.Gateway, error) {
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
    channels: [%s, publishing: %s, sampling: 0s, queue: 1000, nodes: ["t:%s"]}]
`, opcuaserver.Namespace, o.server.URL(), folder, devices, channel, opcuaPublished, nodes)
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
	faults func(last int) int                 // of the values up to a number
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

// sample is a figure of each round.
func (m *monitor) sample(f func(opcuaRun) float64) (all sample[float64]) {
	for _, r := range m.runs {
		all = append(all, f(r))
	}
	return all
}

// cost is the processor time for a thousand values, in milliseconds.
func cost(r opcuaRun) float64 { return r.perThousand.Seconds() * 1e3 }

// compareOPCUA makes the rows of the rounds.
func compareOPCUA(each, together, bare *monitor) []row {
	servers := each.sample(func(r opcuaRun) float64 { return r.server })
	spent := bare.sample(cost)
	rows := []row{
		{figure: "node-opcua, share of a core", value: percent(servers.median()), span: servers.span(percent)},
		bare.changes("bare subscriber"),
		{figure: "bare subscriber, values that do not follow the one before", value: strconv.Itoa(bare.faults(bare.last)), span: fmt.Sprintf("of %d", bare.last*opcuaNodes)},
		{figure: "bare subscriber, processor ms for 1,000 values", value: ratio(spent.median()), span: spent.span(ratio)},
	}
	rows = append(rows, each.compare("an event of each value", spent)...)
	return append(rows, together.compare("events of a machine's values", spent)...)
}

// compare makes the rows of a gateway beside the bare subscriber.
func (m *monitor) compare(name string, bare sample[float64]) []row {
	own, broker := m.sample(cost), m.sample(func(r opcuaRun) float64 { return r.broker.Seconds() })
	delays := m.sample(func(r opcuaRun) float64 { return float64(r.after) })
	delay := func(v float64) string { return millis(time.Duration(v)) }
	var ratios sample[float64]
	for i := range own {
		ratios = append(ratios, own[i]/bare[i])
	}
	faults := m.faults(m.last)
	return []row{
		m.changes(name),
		{
			figure: name + ": missing, out of order or twice in Kafka", value: strconv.Itoa(faults),
			span: fmt.Sprintf("of %d values", m.last*opcuaNodes), target: "exactly 0", holds: faults == 0,
		},
		{figure: name + ": from the last change until all is in Kafka", value: delay(delays.median()), span: delays.span(delay)},
		{figure: name + ": processor seconds of Kafka per million values", value: tenths(broker.median()), span: broker.span(tenths)},
		{figure: name + ": processor ms of the gateway for 1,000 values", value: ratio(own.median()), span: own.span(ratio)},
		ratioRow(name+": gateway to bare subscriber", ratios, atMost(maxOPCUARatio)),
	}
}

// changes says how many there were in a second.
func (m *monitor) changes(name string) row {
	all := m.sample(func(r opcuaRun) float64 { return r.perSecond })
	r := row{figure: name + ", changes per second", value: whole(all.median()), span: all.span(whole)}
	const enough = 0.95
	if all.median() < enough*float64(opcuaPerSecond) {
		r.doubt = "the server is too slow"
	}
	return r
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
	g, err := o.startGateway(ctx, forIdle, devices, `{name: "{node}"`, nodes)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	m := &monitor{opcuaScene: o, folder: devices, values: topic.values}
	if err := m.await(ctx, count); err != nil {
		return 0, err
	}
	return smallestResident(ctx, settling, g.Process)
}
