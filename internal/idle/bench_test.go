package idle

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// BenchmarkUse says that one of many sessions is in use, as each datagram does, and compares with golang-lru, which needs a
// time, too, since sessions also expire. Every goroutine begins with another session.
func BenchmarkUse(b *testing.B) {
	const sessions = 10_000
	var list List[int]
	entries := make([]*Entry[int], sessions)
	names := make([]string, sessions)
	used, err := lru.New[string, *atomic.Int64](sessions)
	if err != nil {
		b.Fatal(err)
	}
	for i := range entries {
		entries[i], names[i] = list.Add(i), "192.0.2.1:"+strconv.Itoa(i)
		used.Add(names[i], new(atomic.Int64))
	}
	run := func(name string, use func(i int)) {
		b.Run(name, func(b *testing.B) {
			var goroutines atomic.Int64
			b.RunParallel(func(p *testing.PB) {
				for i := int(goroutines.Add(1)) * 1000; p.Next(); i++ {
					use(i % sessions)
				}
			})
		})
	}
	run("list", func(i int) { entries[i].Use() })
	run("golang-lru", func(i int) {
		at, _ := used.Get(names[i])
		at.Store(time.Now().UnixNano())
	})
}
