package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/postgres"
)

const (
	fleetApplication = "fleet"

	// fleetBatch is how many devices are copied at a time.
	fleetBatch = 50_000

	// How many values some labels have.
	fleetSites   = 1000
	fleetModels  = 10
	fleetBatches = 100
	fleetRare    = 10 // devices that have the label rare
)

// A fleet is a registry of many devices in PostgreSQL. They are copied into the tables as the store would have written
// them: one after the other would take an hour.
type fleet struct {
	url     string
	devices int
	store   *store.Store
	uid     string // of the application
}

func newFleet(ctx context.Context, url string, devices int) (*fleet, error) {
	s, err := postgres.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	f := &fleet{url: url, devices: devices, store: s}
	if err := f.fill(ctx); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("making a fleet of %d devices: %w", devices, err)
	}
	return f, nil
}

func (f *fleet) close() error { return f.store.Close() }

func (f *fleet) fill(ctx context.Context) error {
	if err := migrate.Up(ctx, f.store); err != nil {
		return err
	}
	if _, err := f.store.ApplyApplication(ctx, &registry.Application{Metadata: registry.Metadata{Name: fleetApplication}}); err != nil {
		return err
	}
	tenant, err := f.store.Tenant(ctx, fleetApplication)
	if err != nil {
		return err
	}
	f.uid = tenant.UID
	conn, err := pgx.Connect(ctx, f.url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for first := 0; first < f.devices; first += fleetBatch {
		if err := copyDevices(ctx, conn, first, min(first+fleetBatch, f.devices)); err != nil {
			return err
		}
	}
	// What a server of some age has done by itself.
	_, err = conn.Exec(ctx, "VACUUM ANALYZE")
	return err
}

func fleetName(i int) string { return fmt.Sprintf("device-%07d", i) }

func fleetAlias(i int) string { return fmt.Sprintf("serial:%07d", i) }

func fleetPassword(i int) string { return fmt.Sprintf("password-%07d", i) }

// fleetLabels are those of a device. They do not depend on each other, as in a real fleet they more or less do: that is
// the harder case for a database.
func fleetLabels(i int) map[string]string {
	random := rand.New(rand.NewPCG(uint64(i), 7))
	labels := map[string]string{
		"site":  fmt.Sprintf("site-%d", random.IntN(fleetSites)),
		"model": fmt.Sprintf("model-%d", random.IntN(fleetModels)),
		"batch": fmt.Sprintf("batch-%d", random.IntN(fleetBatches)),
	}
	if random.IntN(100) == 0 {
		labels["retired"] = "true"
	}
	if i%10_007 == 0 && i/10_007 < fleetRare {
		labels["rare"] = "yes"
	}
	return labels
}

// copyDevices copies the devices of a range of numbers, their aliases and the index of their labels.
func copyDevices(ctx context.Context, conn *pgx.Conn, first, end int) error {
	now := time.Now().UnixMicro()
	var documents, aliases, labels [][]any
	for i := first; i < end; i++ {
		name := fleetName(i)
		var pairs []string
		for key, value := range fleetLabels(i) {
			labels = append(labels, []any{fleetApplication, name, key, value})
			pairs = append(pairs, fmt.Sprintf("%q:%q", key, value))
		}
		spec := fmt.Sprintf(`{"alias":[%q],"authentication":{"credentials":[{"pass":%q}]},"lorawan":{"ports":{"1":{"data_schema":"urn:example:%d"}}}}`,
			fleetAlias(i), fleetPassword(i), i)
		documents = append(documents, []any{
			fleetApplication, name, fmt.Sprintf("00000000-0000-4000-8000-%012d", i), now, 1, fmt.Sprintf("00000000-0000-4000-9000-%012d", i), 1,
			"", "{" + strings.Join(pairs, ",") + "}", "", spec, "",
		})
		aliases = append(aliases, []any{fleetApplication, name, name}, []any{fleetApplication, fleetAlias(i), name})
	}
	for _, table := range []struct {
		name    string
		columns []string
		rows    [][]any
	}{
		{"devices", []string{"application", "name", "uid", "created", "generation", "resource_version", "revision", "finalizers", "labels", "annotations", "spec", "status"}, documents},
		{"device_aliases", []string{"application", "alias", "name"}, aliases},
		{"device_labels", []string{"application", "name", "key", "value"}, labels},
	} {
		if _, err := conn.CopyFrom(ctx, pgx.Identifier{table.name}, table.columns, pgx.CopyFromRows(table.rows)); err != nil {
			return fmt.Errorf("copying into %s: %w", table.name, err)
		}
	}
	return nil
}
