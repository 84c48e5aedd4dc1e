package provision

import (
	"fmt"
	"testing"
)

// BenchmarkLook is a look at an application that has all it needs, as a ping has it for each: four lists, and each object applied again.
// The API server is in the same process.
func BenchmarkLook(b *testing.B) {
	w := newWorld(b, nil)
	const applications = 100
	for i := range applications {
		name := fmt.Sprintf("app-%d", i)
		w.put(name, endpoint)
		w.reconcile(name)
	}
	i := 0
	for b.Loop() {
		if err := w.Provisioner.reconcile(b.Context(), fmt.Sprintf("app-%d", i%applications), "", false); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
