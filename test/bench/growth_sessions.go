package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/test/neighbour"
)

// firstSession is the number of the first device with a DTLS session. Those before have other passwords.
const firstSession = 1000

// A footprint is what an idle process uses.
type footprint struct {
	memory    int64   // smallest resident memory, in bytes
	processor float64 // share of a core
}

// footprintOf watches a process that has just become idle.
func footprintOf(ctx context.Context, p *neighbour.Process, size growthSizes) (f footprint, err error) {
	settled, err := smallestResident(ctx, size.settle, p)
	if err != nil {
		return f, err
	}
	before, err := p.CPUTime()
	if err != nil {
		return f, err
	}
	began := time.Now()
	watched, err := smallestResident(ctx, size.idle, p)
	if err != nil {
		return f, err
	}
	after, err := p.CPUTime()
	return footprint{min(settled, watched), (after - before).Seconds() / time.Since(began).Seconds()}, err
}

// growSessions holds ever more DTLS sessions of as many devices, each time on a gateway of its own.
func growSessions(ctx context.Context, s *scene) (rows []row, err error) {
	sizes, rows, err := fitting(s.size.growth.sessions, "DTLS sessions")
	if err != nil {
		return nil, err
	}
	n, err := s.servers(ctx)
	if err != nil {
		return nil, err
	}
	if err := n.register(ctx, sizes[len(sizes)-1], func(i int) (*registry.Device, error) { return plainDevice(firstSession + i) }); err != nil {
		return nil, err
	}
	var memory, processor []float64
	for _, sessions := range sizes {
		kilobytes, perSecond, used, err := s.holdDTLS(ctx, n, sessions)
		if err != nil {
			return rows, fmt.Errorf("with %d: %w", sessions, err)
		}
		memory, processor = append(memory, kilobytes), append(processor, used/float64(sessions))
		name := fmt.Sprintf("%d DTLS sessions", sessions)
		rows = append(rows,
			row{figure: name + ", handshakes with a message per second", value: whole(perSecond)},
			row{figure: name + ", memory of the gateway for each", value: tenths(kilobytes) + " KB"},
			row{figure: name + ", idle processor time", value: fmt.Sprintf("%.2f %%", 100*used), span: "of a core"})
	}
	fewest, most, last := sizes[0], sizes[len(sizes)-1], len(sizes)-1
	return append(rows, growthRow("memory of a DTLS session", fewest, most, memory[0], memory[last]),
		growthRow("idle processor time of a DTLS session", fewest, most, processor[0], processor[last])), nil
}

// holdDTLS has a new gateway hold sessions, and tells the memory of each in KB, how many were opened in a second, and the share of a core
// that the idle gateway uses.
func (s *scene) holdDTLS(ctx context.Context, n *neighbours, sessions int) (kilobytes, perSecond, processor float64, err error) {
	first, _, err := s.gateway(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	g, address, err := startCoAPGateway(ctx, *s.gateways, n, first.judge)
	if err != nil {
		return 0, 0, 0, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	before, err := g.Resident()
	if err != nil {
		return 0, 0, 0, err
	}
	began := time.Now()
	held, err := holdElsewhere(ctx, "--dtls", address, firstSession, sessions, "--application", application)
	if err != nil {
		return 0, 0, 0, err
	}
	if err := held.connected(); err != nil {
		return 0, 0, 0, err
	}
	defer func() { err = errors.Join(err, held.end()) }()
	perSecond = float64(sessions) / time.Since(began).Seconds()
	f, err := footprintOf(ctx, g.Process, s.size.growth)
	return float64(f.memory-before) / 1024 / float64(sessions), perSecond, f.processor, err
}
