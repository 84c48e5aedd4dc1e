//go:build integration

package cache

import (
	"os"
	"testing"

	"github.com/fairlead/fairlead/test/neighbour"
)

func TestMain(m *testing.M) { os.Exit(neighbour.Main(m)) }

func TestCacheOnRedis(t *testing.T) {
	server := neighbour.SharedRedis(t)
	behaviours(t, func(t *testing.T) string { return server.Database(t) })
}

func TestRedisKilled(t *testing.T) {
	server, err := neighbour.StartRedis(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	outage(t, newInstallation(t, server.URL()), server.Kill, func() {
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// A server that is there but does not answer is as good as gone, and is noticed without an error of the network.
func TestRedisHangs(t *testing.T) {
	server, err := neighbour.StartRedis(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	pause, resume := func() {
		if err := server.Pause(); err != nil {
			t.Fatal(err)
		}
	}, func() {
		if err := server.Resume(); err != nil {
			t.Fatal(err)
		}
	}
	outage(t, newInstallation(t, server.URL()), pause, resume)
}
