package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/gatewaybin"
)

// Targets of this working tree against another revision. A tenth is what two equal programs may differ by.
const (
	maxRegression = 1.1
	minRegression = 0.9
)

// comparison is of the programs of a revision of git with those of the working tree, on the same neighbours and in turns.
func comparison(revision string) measurement {
	return measurement{"compare", "this working tree against " + revision, func(ctx context.Context, s *scene) ([]row, error) {
		return s.compare(ctx, revision)
	}}
}

// A build is the programs of one revision.
type build struct {
	function functionbin.Binary
	gateway  gatewaybin.Binary
}

func (s *scene) compare(ctx context.Context, revision string) (rows []row, err error) {
	theirs, err := s.buildRevision(ctx, revision)
	if err != nil {
		return nil, err
	}
	ours := build{}
	if ours.function, err = s.function(ctx); err != nil {
		return nil, err
	}
	if ours.gateway, err = s.gatewayBinary(ctx); err != nil {
		return nil, err
	}
	n, err := s.servers(ctx)
	if err != nil {
		return nil, err
	}
	for _, part := range []func(context.Context, *neighbours, [2]build) ([]row, error){s.compareHTTP, s.compareMQTT} {
		more, failure := part(ctx, n, [2]build{theirs, ours})
		rows, err = append(rows, more...), errors.Join(err, failure)
	}
	return rows, err
}

// buildRevision builds the programs of a revision in a working tree of its own, which is taken away again.
func (s *scene) buildRevision(ctx context.Context, revision string) (b build, err error) {
	dir, err := os.MkdirTemp("", "fairlead-compare-")
	if err != nil {
		return b, err
	}
	s.afterwards(func() error { return os.RemoveAll(dir) })
	tree := filepath.Join(dir, "tree")
	if err := git(ctx, "worktree", "add", "--detach", tree, revision); err != nil {
		return b, err
	}
	s.afterwards(func() error { return git(context.WithoutCancel(ctx), "worktree", "remove", "--force", tree) })
	if b.function, err = functionbin.BuildFrom(ctx, tree, dir); err != nil {
		return b, fmt.Errorf("of revision %s: %w", revision, err)
	}
	if b.gateway, err = gatewaybin.BuildFrom(ctx, tree, dir); err != nil {
		return b, fmt.Errorf("of revision %s: %w", revision, err)
	}
	return b, nil
}

func git(ctx context.Context, arguments ...string) error {
	output, err := exec.CommandContext(ctx, "git", arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("git %s: %w\n%s", strings.Join(arguments, " "), err, output)
	}
	return nil
}

// compareHTTP puts the same load on the telemetry function of both.
func (s *scene) compareHTTP(ctx context.Context, n *neighbours, builds [2]build) (rows []row, err error) {
	sides := make([]*side, len(builds))
	for i, b := range builds {
		f, err := b.function.Start(ctx, "telemetry", n.settings()...)
		if err != nil {
			return nil, fmt.Errorf("starting telemetry: %w", err)
		}
		s.afterwards(f.Close)
		sides[i] = &side{process: f.Process, address: f.Address(), broker: n.kafka.Process}
	}
	if err := takeTurns(ctx, s, sides); err != nil {
		return nil, err
	}
	rows = append(describe("telemetry before", sides[0].bursts), describe("telemetry now", sides[1].bursts)...)
	against := func(f func(burst) float64) (ratios sample[float64]) {
		for i := range sides[0].bursts {
			ratios = append(ratios, f(sides[1].bursts[i])/f(sides[0].bursts[i]))
		}
		return ratios
	}
	return append(rows,
		ratioRow("telemetry, processor time of a request, now to before", against(func(b burst) float64 { return b.perMillion.Seconds() }), atMost(maxRegression)),
		ratioRow("telemetry, requests per second, now to before", against(func(b burst) float64 { return b.perSecond }), atLeast(minRegression)),
		ratioRow("telemetry, median from request to answer, now to before", against(func(b burst) float64 { return b.median.Seconds() }), goal{}),
		ratioRow("telemetry, p99 from request to answer, now to before", against(func(b burst) float64 { return b.p99.Seconds() }), goal{})), nil
}

// compareMQTT puts the same load on the MQTT gateway of both.
func (s *scene) compareMQTT(ctx context.Context, n *neighbours, builds [2]build) ([]row, error) {
	judge, err := s.judge(ctx, n)
	if err != nil {
		return nil, err
	}
	targets := make([]*publishTarget, len(builds))
	for i, b := range builds {
		g, err := startGateway(ctx, b.gateway, n, judge)
		if err != nil {
			return nil, fmt.Errorf("starting the gateway: %w", err)
		}
		s.afterwards(g.Close)
		targets[i] = &publishTarget{process: g.Process, broker: n.kafka.Process, address: g.address}
		if _, err := targets[i].publish(ctx, s.size.round, 0); err != nil {
			return nil, err
		}
	}
	for round := range s.size.rounds {
		for i := range targets {
			if err := targets[(i+round)%len(targets)].round(ctx, s.size.round); err != nil {
				return nil, err
			}
		}
	}
	before, now := targets[0].rounds, targets[1].rounds
	against := func(f func(now, before publishing) float64) (ratios sample[float64]) {
		for i := range before {
			ratios = append(ratios, f(now[i], before[i]))
		}
		return ratios
	}
	return []row{
		ratioRow("MQTT gateway, processor time of a message, now to before", against(func(now, before publishing) float64 { return before.perCPU / now.perCPU }), atMost(maxRegression)),
		ratioRow("MQTT gateway, messages per second, now to before", against(func(now, before publishing) float64 { return now.perSecond / before.perSecond }), atLeast(minRegression)),
	}, nil
}
