package neighbours

import (
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// A Redis is a server in this process, for who knows its password: it holds documents of the registry with the secrets of devices. With a
// file, it keeps what is in it when Save is called across restarts.
type Redis struct {
	server   *miniredis.Miniredis
	password string
	file     string // "" keeps nothing
	stop     chan struct{}
	ended    sync.WaitGroup

	asked   atomic.Bool // Save was called since the last tick
	writing sync.Mutex  // held while the file is written
	mu      sync.Mutex
	next    *saving // that has not begun
}

// StartRedis starts a server at an address host:port; port 0 takes a free one. What an earlier one has saved in the file is
// there again; "" keeps nothing.
func StartRedis(address, file string) (*Redis, error) {
	r := &Redis{server: miniredis.NewMiniRedis(), password: rand.Text(), file: file, stop: make(chan struct{})}
	r.server.RequireAuth(r.password)
	if err := r.restore(); err != nil {
		return nil, fmt.Errorf("reading what the embedded Redis has saved: %w", err)
	}
	if err := r.server.StartAddr(address); err != nil {
		return nil, fmt.Errorf("starting the embedded Redis on %s: %w", address, err)
	}
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
			if r.asked.Swap(false) {
				_ = r.save() // what followed is saved, too; who needs it to be calls Save, and is told
			}
		case <-r.stop:
			return
		}
	}
}

// URL is where clients find the server, with its password.
func (r *Redis) URL() string { return "redis://default:" + r.password + "@" + r.server.Addr() + "/0" }

// Close saves what there is, and stops the server.
func (r *Redis) Close() error {
	close(r.stop)
	r.ended.Wait()
	err := r.Save()
	r.server.Close()
	return err
}
