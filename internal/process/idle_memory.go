package process

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// returnEvery is how often a process looks whether it has memory to return.
	returnEvery = 15 * time.Second

	// calm is how many bytes a process may allocate meanwhile and count as idle.
	calm = 16 << 20

	// worthwhile is how many bytes there must be to return: doing so costs a collection.
	worthwhile = 8 << 20
)

// ReturnMemory gives memory back to the operating system that a burst of work, such as a storm of log-ins, has left behind,
// as soon as the process is idle, until ctx ends. Go itself keeps as much as the next burst would need.
func ReturnMemory(ctx context.Context) {
	ticker := time.NewTicker(returnEvery)
	defer ticker.Stop()
	last := readHeap()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := readHeap()
		if now.allocated-last.allocated < calm && now.unused >= worthwhile {
			debug.FreeOSMemory()
			now = readHeap()
		}
		last = now
	}
}

// A heap is what matters of the heap here, in bytes.
type heap struct {
	allocated uint64 // since the start
	unused    uint64 // garbage, and free memory that is not returned
	live      uint64 // in use at the last collection
}

func readHeap() heap {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(samples)
	value := func(i int) uint64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0 // not known to this version of Go
		}
		return samples[i].Value.Uint64()
	}
	h := heap{allocated: value(0), unused: value(1), live: value(3)}
	if objects := value(2); objects > h.live {
		h.unused += objects - h.live
	}
	return h
}
