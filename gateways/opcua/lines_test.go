package opcua

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/command"
)

// TestCommandLines has commands of two devices done: those of a device in their order, and no more than wait.
func TestCommandLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		done := map[string][]string{}
		l := newCommandLines(4, func(ctx context.Context, device string, c command.Command) {
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			done[device] = append(done[device], c.Name)
		})
		begin := time.Now()
		for _, name := range []string{"1", "2", "3"} {
			if !l.add("a", command.Command{Name: name}) {
				t.Errorf("command %s is not taken", name)
			}
		}
		if !l.add("b", command.Command{Name: "1"}) {
			t.Error("a command of another device is not taken")
		}
		if l.add("b", command.Command{Name: "2"}) {
			t.Error("a fifth command is taken")
		}
		l.close(t.Context())
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		if !slices.Equal(done["a"], []string{"1", "2", "3"}) || !slices.Equal(done["b"], []string{"1"}) {
			t.Errorf("done: %v", done)
		}
		if l.add("a", command.Command{}) {
			t.Error("a command is taken after the end")
		}
	})
}

// TestCommandLinesGiveUp has a stop end a command that takes too long.
func TestCommandLinesGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newCommandLines(1, func(ctx context.Context, _ string, _ command.Command) { <-ctx.Done() })
		l.add("a", command.Command{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		l.close(ctx)
	})
}
