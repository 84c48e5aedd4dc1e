package command

import (
	"net/http"
	"strings"
	"testing"

	commands "github.com/fairlead/fairlead/internal/command"
)

// TestAnotherProcessWaits has a command bear the correlation of a process that waits for the answer itself.
func TestAnotherProcessWaits(t *testing.T) {
	correlation := strings.Repeat("A", 26) + "." + strings.Repeat("B", 26)
	f := func(device, correlation string, status int, awaited string) {
		t.Helper()
		w := newWorld(t, nil)
		queue := w.listen(t, "d")
		got := w.do("/app", "on", func(r *http.Request) {
			anEvent("Bearer owner", "Device="+device)(r)
			r.Header.Set(commands.HeaderCorrelation, correlation)
		})
		if got.Code != status || got.Header().Get(commands.HeaderAwaited) != awaited {
			t.Errorf("%s, %q: %d, %v", device, correlation, got.Code, got.Header())
		}
		if awaited == "" {
			return
		}
		if c := <-queue.C(); !c.Respond || c.Correlation != correlation {
			t.Errorf("the device got %+v", c)
		}
	}
	f("d", correlation, 202, "d")
	f("alias", correlation, 202, "d")  // its registry name
	f("enabled", correlation, 202, "") // which does not listen
	f("d", "", 202, "")
	f("d", "1", 400, "")
}
