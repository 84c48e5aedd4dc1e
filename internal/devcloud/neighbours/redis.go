package neighbours

import (
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// A Redis is a server in this process. It keeps nothing across restarts: Fairlead holds only caches and leases there.
type Redis struct {
	server *miniredis.Miniredis
	stop   chan struct{}
	ended  sync.WaitGroup
}

// StartRedis starts a server at an address host:port; port 0 takes a free one.
func StartRedis(address string) (*Redis, error) {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(address); err != nil {
		return nil, fmt.Errorf("starting the embedded Redis on %s: %w", address, err)
	}
	r := &Redis{server: server, stop: make(chan struct{})}
	r.ended.Go(r.tick)
	return r, nil
}

// tick lets keys expire: the server's clock for that stands still by itself.
func (r *Redis) tick() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.server.FastForward(time.Second)
		case <-r.stop:
			return
		}
	}
}

// URL is where clients find the server.
func (r *Redis) URL() string { return "redis://" + r.server.Addr() + "/0" }

// Close stops the server.
func (r *Redis) Close() {
	close(r.stop)
	r.ended.Wait()
	r.server.Close()
}
