package cache

import (
	"strconv"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

// BenchmarkLocal measures the layer in the process: reading what is there, and putting more than fits.
func BenchmarkLocal(b *testing.B) {
	const entries = 10_000
	names := make([]name, 4*entries)
	for i := range names {
		names[i] = name{registry.DeviceChanged, "app", strconv.Itoa(i)}
	}
	e := entry{device: &registry.Device{}, size: 1000}
	l := newLocal(time.Minute, entries, entries*2000)
	l.up()
	for _, n := range names[:entries/2] {
		l.put(n, e, l.epoch(n), time.Hour)
	}
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for i := 0; p.Next(); i++ {
				l.get(names[i%(entries/2)])
			}
		})
	})
	b.Run("put", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for i := 0; p.Next(); i++ {
				n := names[i%len(names)]
				l.put(n, e, l.epoch(n), time.Hour)
			}
		})
	})
}
