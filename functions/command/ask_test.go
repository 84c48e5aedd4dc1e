package command

import (
	"net/http"
	"strings"
	"testing"

	commands "github.com/fairlead/fairlead/internal/command"
)

const asking = Base + "/apps/app/devices/d?command=get&wait="

// TestAsk has devices answer, or not.
func TestAsk(t *testing.T) {
	f := func(device func(w *world, c commands.Command), status int, body string) {
		t.Helper()
		w := newWorld(t, nil)
		queue := w.listen(t, "d")
		done := make(chan struct{})
		go func() {
			defer close(done)
			c := <-queue.C()
			if !c.Respond || commands.ValidateCorrelation(c.Correlation) != nil {
				t.Errorf("the command is %+v", c)
			}
			if device != nil {
				device(w, c)
			}
		}()
		got := w.do(asking+"1", "x", as("owner"))
		<-done
		if got.Code != status || !strings.Contains(got.Body.String(), body) || got.Header().Get(commands.HeaderReached) != "1" {
			t.Errorf("%d %q, want %d %q", got.Code, got.Body, status, body)
		}
		if status == http.StatusOK && (got.Header().Get("Content-Type") != "text/plain" || got.Header().Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("headers %v", got.Header())
		}
	}
	answer := func(device string) func(w *world, c commands.Command) {
		return func(w *world, c commands.Command) {
			w.hub.Answer(c.Correlation, commands.Answer{Application: "app", Device: device, ContentType: "text/plain", Payload: []byte("21.5")})
		}
	}
	f(answer("d"), http.StatusOK, "21.5")
	f(answer("gw1"), http.StatusGatewayTimeout, `"outcome":"reached"`)
	f(nil, http.StatusGatewayTimeout, `{"code":504,"error":"NoAnswer","message":"the device did not answer in time","reached":1,"targets":[{"device":"d"`)
}

func TestAskNobody(t *testing.T) {
	w := newWorld(t, nil)
	if got := w.do(asking+"60", "x", as("owner")); got.Code != http.StatusGatewayTimeout || !strings.Contains(got.Body.String(), "nobody took the command") {
		t.Errorf("%d %q", got.Code, got.Body)
	}
	for _, bad := range []string{"x", "-1", "1.5", "1&wait=2"} {
		if got := w.do(asking+bad, "x", as("owner")); got.Code != http.StatusBadRequest {
			t.Errorf("wait=%s: %d", bad, got.Code)
		}
	}
}
