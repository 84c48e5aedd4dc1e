package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/triggers"
)

const triggersCommand = "triggers"

// serveTriggers serves as many Triggers as fairlead dev does, without a filter, and takes their events. It listens once all of them are
// settled.
func serveTriggers(ctx context.Context, arguments []string) (err error) {
	flags := flag.NewFlagSet(triggersCommand, flag.ContinueOnError)
	address := flags.String("address", "", "to listen at, host:port")
	brokers := flags.String("brokers", "", "of Kafka, separated by commas")
	count := flags.Int("count", 0, "how many Triggers")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	policy, err := triggers.PolicyFor(&triggers.Trigger{}, nil)
	if err != nil {
		return err
	}
	c := kafka.DefaultConfig()
	c.Brokers = strings.Split(*brokers, ",")
	dispatcher, err := dispatch.New(dispatch.Options{Kafka: c})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dispatcher.Close(context.WithoutCancel(ctx))) }()
	all := make([]dispatch.Subscription, *count)
	for i := range all {
		all[i] = subscriptionTo("http://"+*address, event.Topic(application), fmt.Sprintf("growth-%d-%d", *count, i), policy)
		all[i].Name = fmt.Sprintf("default/growth-%d", i)
	}
	if err := dispatcher.Apply(all); err != nil {
		return err
	}
	if err := dispatcher.Settled(ctx); err != nil {
		return err
	}
	server := &http.Server{Addr: *address, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// growTriggers serves ever more Triggers of one application to which nothing is sent, each time in a process of its own.
func growTriggers(ctx context.Context, s *scene) (rows []row, err error) {
	n, err := s.servers(ctx)
	if err != nil {
		return nil, err
	}
	var memory, processor []float64
	var none footprint
	sizes := append([]int{0}, s.size.growth.triggers...)
	for _, count := range sizes {
		f, broker, err := n.holdTriggers(ctx, count, s.size.growth)
		if err != nil {
			return rows, fmt.Errorf("with %d: %w", count, err)
		}
		if count == 0 {
			none = f
			continue
		}
		kilobytes, used := float64(f.memory-none.memory)/1024/float64(count), f.processor/float64(count)
		memory, processor = append(memory, kilobytes), append(processor, used)
		name := fmt.Sprintf("%d Triggers", count)
		rows = append(rows,
			row{figure: name + ", memory of fairlead dev's dispatcher for each", value: whole(kilobytes) + " KB"},
			row{figure: name + ", idle processor time of the dispatcher", value: fmt.Sprintf("%.2f %%", 100*f.processor), span: fmt.Sprintf("of a core; Kafka %.2f %%", 100*broker)})
	}
	fewest, most, last := s.size.growth.triggers[0], sizes[len(sizes)-1], len(memory)-1
	return append(rows, growthRow("memory of a Trigger", fewest, most, memory[0], memory[last]),
		growthRow("idle processor time of a Trigger", fewest, most, processor[0], processor[last])), nil
}

// holdTriggers tells what a process with so many idle Triggers uses, and the share of a core that Kafka uses meanwhile.
func (n *neighbours) holdTriggers(ctx context.Context, count int, size growthSizes) (f footprint, broker float64, err error) {
	process, _, err := startSelf(ctx, triggersCommand, "--brokers", strings.Join(n.kafka.Brokers(), ","), "--count", strconv.Itoa(count))
	if err != nil {
		return f, 0, err
	}
	defer func() { err = errors.Join(err, process.Close()) }()
	size.settle, size.idle = size.idle/3, size.idle/2 // nothing has to be given back
	before, err := n.kafka.CPUTime()
	if err != nil {
		return f, 0, err
	}
	if f, err = footprintOf(ctx, process, size); err != nil {
		return f, 0, err
	}
	after, err := n.kafka.CPUTime()
	return f, (after - before).Seconds() / (size.settle + size.idle).Seconds(), err
}
