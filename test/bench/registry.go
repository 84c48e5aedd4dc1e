package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/test/neighbour"
)

const (
	// maxLookup is the target for 99 of 100 authentications of which nothing is cached.
	maxLookup = 5 * time.Millisecond
	// maxList is the target for 99 of 100 lists of 100 devices with a label selector.
	maxList = 50 * time.Millisecond

	listLimit = 100

	// worstLists is how many of the slowest lists are made at most.
	worstLists = 20
)

// measureRegistry asks a registry of many devices.
func measureRegistry(ctx context.Context, s *scene) (rows []row, err error) {
	server, err := neighbour.StartPostgres(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	redis, err := neighbour.StartRedis(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, redis.Close()) }()
	began := time.Now()
	f, err := newFleet(ctx, server.URL(), s.size.fleet)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	rows = append(rows, row{figure: fmt.Sprintf("making %d devices", f.devices), value: fmt.Sprintf("%.0f s", time.Since(began).Seconds())})
	lookups, err := measureLookups(ctx, f, redis.URL(), s.size.lookups)
	if err != nil {
		return nil, err
	}
	lists, err := measureLists(ctx, f, s.size.lists)
	return append(append(rows, lookups...), lists...), err
}

// measureLookups authenticates devices that nobody has asked for, and again.
func measureLookups(ctx context.Context, f *fleet, redis string, n int) (rows []row, err error) {
	cold, warm, err := f.authenticate(ctx, redis, n)
	if err != nil {
		return nil, err
	}
	return []row{
		latency("authentication, nothing cached", cold, maxLookup),
		latency("the same again, from Redis", warm, 0),
	}, nil
}

// authenticate logs devices in that nobody has asked for, by an alias: neither the process nor Redis knows them; and each once more. The
// password is stored as it is, since a hash would be most of the time.
func (f *fleet) authenticate(ctx context.Context, redis string, n int) (cold, warm sample[time.Duration], err error) {
	c := cache.DefaultConfig()
	c.URL = redis
	documents, err := cache.New(c, f.store)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, documents.Close()) }()
	service := auth.NewService(auth.DefaultServiceConfig(), documents, nil)
	for _, i := range rand.Perm(f.devices)[:n] {
		request := auth.Request{Application: fleetApplication, Device: fleetAlias(i), Credential: auth.Password(fleetPassword(i))}
		for _, into := range []*sample[time.Duration]{&cold, &warm} {
			began := time.Now()
			session, err := service.Authenticate(ctx, request)
			if err != nil || session.Device.Metadata.Name != fleetName(i) {
				return nil, nil, fmt.Errorf("authenticating %s: %w", fleetName(i), err)
			}
			*into = append(*into, time.Since(began))
		}
	}
	return cold, warm, nil
}

// latency is the row of a sample, with a target for the 99th percentile unless that is 0.
func latency(figure string, s sample[time.Duration], target time.Duration) row {
	p99 := s.quantile(0.99)
	r := row{figure: figure, value: "p99 " + millis(p99), span: fmt.Sprintf("median %s, worst %s", millis(s.median()), millis(s.quantile(1)))}
	if target > 0 {
		r.target, r.holds = "under "+millis(target), p99 < target
	}
	return r
}

// selectors are conditions of all kinds, with other values each time.
func selectors() []struct {
	name string
	make func() string
} {
	site := func() string { return fmt.Sprintf("site-%d", rand.IntN(fleetSites)) }
	model := func() string { return fmt.Sprintf("model-%d", rand.IntN(fleetModels)) }
	batch := func() string { return fmt.Sprintf("batch-%d", rand.IntN(fleetBatches)) }
	return []struct {
		name string
		make func() string
	}{
		{"one in 1000: site=S", func() string { return "site=" + site() }},
		{"one in 10: model=M", func() string { return "model=" + model() }},
		{"ten in all: rare=yes", func() string { return "rare=yes" }},
		{"none: site=none", func() string { return "site=none" }},
		{"two rare ones: site=S,batch=B", func() string { return "site=" + site() + ",batch=" + batch() }},
		{"a rare and a frequent one: model=M,site=S", func() string { return "model=" + model() + ",site=" + site() }},
		{"two frequent ones: model=M,batch=B", func() string { return "model=" + model() + ",batch=" + batch() }},
		{"a list: site in (S, S, S)", func() string { return "site in (" + site() + ", " + site() + ", " + site() + ")" }},
		{"a frequent list: model in (M, M)", func() string { return "model in (" + model() + ", " + model() + ")" }},
		{"one in 100: retired", func() string { return "retired" }},
		{"all but one in 100: !retired", func() string { return "!retired" }},
		{"another value: model!=M", func() string { return "model!=" + model() }},
		{"other values: site notin (S, S)", func() string { return "site notin (" + site() + ", " + site() + ")" }},
		{"two lists: batch in (B, B),model in (M, M)", func() string {
			return "batch in (" + batch() + ", " + batch() + "),model in (" + model() + ", " + model() + ")"
		}},
		{"all of it: site=S,retired,model!=M", func() string { return "site=" + site() + ",retired,model!=" + model() }},
	}
}

// measureLists lists devices as the API does, without writing them as JSON.
func measureLists(ctx context.Context, f *fleet, n int) (rows []row, err error) {
	var all sample[time.Duration]
	for _, kind := range selectors() {
		times, err := measureList(ctx, f, kind.make, n)
		if err != nil {
			return nil, err
		}
		all = append(all, times...)
		rows = append(rows, latency("  "+kind.name, times, 0))
	}
	// What no index can help with: many have the one label, and all of them the other.
	worst, err := measureList(ctx, f, func() string { return fmt.Sprintf("model=model-%d,!site", rand.IntN(fleetModels)) }, min(n, worstLists))
	if err != nil {
		return nil, err
	}
	rows = append(rows, latency("the worst, which is none of them: model=M,!site", worst, 0))
	return append([]row{latency(fmt.Sprintf("list of %d by labels, all kinds", listLimit), all, maxList)}, rows...), nil
}

func measureList(ctx context.Context, f *fleet, kind func() string, n int) (times sample[time.Duration], err error) {
	for range n {
		selector, err := registry.ParseSelector(kind())
		if err != nil {
			return nil, err
		}
		began := time.Now()
		devices, err := f.store.Devices(ctx, fleetApplication, f.uid, store.Query{Selector: selector, Limit: listLimit})
		if err != nil {
			return nil, err
		}
		times = append(times, time.Since(began))
		if err := checkList(devices, selector); err != nil {
			return nil, fmt.Errorf("%s: %w", selector, err)
		}
	}
	return times, nil
}

func checkList(devices []*registry.Device, selector registry.Selector) error {
	for i, d := range devices {
		if !selector.Matches(d.Metadata.Labels) || (i > 0 && d.Metadata.Name <= devices[i-1].Metadata.Name) {
			return fmt.Errorf("the list has %s", d.Metadata.Name)
		}
	}
	return nil
}
