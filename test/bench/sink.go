package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// measureSink puts the same load on two processes of telemetry in turns: one hands its events to Kafka, the other to a bare HTTP server as
// the sink that takes Kafka's place.
func measureSink(ctx context.Context, s *scene) (rows []row, err error) {
	direct, n, err := s.telemetry(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, direct.Close()) }()
	sink, address, err := startBare(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	binary, err := s.function(ctx)
	if err != nil {
		return nil, err
	}
	bound, err := binary.Start(ctx, "telemetry", append(n.settings(), "K_SINK=http://"+address+"/")...)
	if err != nil {
		return nil, fmt.Errorf("starting telemetry with a sink: %w", err)
	}
	defer func() { err = errors.Join(err, bound.Close()) }()

	sides := []*side{sideOf(direct, n.kafka.Process), sideOf(bound, sink)}
	if err := takeTurns(ctx, s, sides); err != nil {
		return nil, err
	}
	return compareSink(sides[0].bursts, sides[1].bursts), nil
}

func sideOf(f *functionbin.Function, behind *neighbour.Process) *side {
	return &side{process: f.Process, address: f.Address(), broker: behind}
}

// takeTurns warms both sides up, and puts load on them one after the other.
func takeTurns(ctx context.Context, s *scene, sides []*side) error {
	for _, side := range sides {
		if _, err := side.load(ctx, s.size.warmUp); err != nil {
			return err
		}
	}
	return s.rounds(ctx, sides)
}

// compareSink makes the rows of two series of rounds. A target there is none: the sink's own cost is not Fairlead's.
func compareSink(direct, bound []burst) []row {
	perCPUSecond := func(b burst) float64 { return 1e6 / b.perMillion.Seconds() }
	var ratios sample[float64]
	for i := range direct {
		ratios = append(ratios, perCPUSecond(bound[i])/perCPUSecond(direct[i]))
	}
	kafka, sink := each(direct, perCPUSecond), each(bound, perCPUSecond)
	behind := func(bursts []burst) sample[float64] {
		return each(bursts, func(b burst) float64 { return b.broker.Seconds() })
	}
	broker, bare := behind(direct), behind(bound)
	p50 := func(bursts []burst) string {
		median := each(bursts, func(b burst) time.Duration { return b.median })
		p99 := each(bursts, func(b burst) time.Duration { return b.p99 })
		return "p50 " + millis(median.median()) + ", p99 " + millis(p99.median())
	}
	return []row{
		{figure: "to Kafka, events per processor second", value: whole(kafka.median()), span: kafka.span(whole)},
		{figure: "to a sink, events per processor second", value: whole(sink.median()), span: sink.span(whole)},
		ratioRow("sink to Kafka", ratios, goal{}),
		{figure: "to Kafka, request to answer", value: p50(direct)},
		{figure: "to a sink, request to answer", value: p50(bound)},
		{figure: "Kafka meanwhile, processor seconds per million", value: tenths(broker.median()), span: broker.span(tenths)},
		{figure: "the sink meanwhile, processor seconds per million", value: tenths(bare.median()), span: bare.span(tenths)},
	}
}
