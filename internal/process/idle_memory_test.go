package process

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// TestReturnMemory has a process allocate much and become idle.
func TestReturnMemory(t *testing.T) {
	// Nothing else may collect the garbage meanwhile.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	burst := make([][]byte, 64)
	for i := range burst {
		burst[i] = make([]byte, 1<<20)
		burst[i][0] = 1
	}
	runtime.KeepAlive(burst)
	burst = nil
	before := readHeap()
	if before.unused < worthwhile {
		t.Fatalf("only %d bytes are unused: there is nothing to return", before.unused)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go ReturnMemory(ctx)
		time.Sleep(2*returnEvery + time.Second)
		synctest.Wait()
		cancel()
	})
	if after := readHeap(); after.unused >= before.unused {
		t.Errorf("%d bytes are unused, as before", after.unused)
	}
}
