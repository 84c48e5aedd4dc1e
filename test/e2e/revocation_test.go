//go:build integration

package e2e

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// TestRevocation takes back what devices are admitted on. The longest time to live of a decision is beyond the time that
// this test waits, so what it sees is the push.
func TestRevocation(t *testing.T) {
	telemetries(t, func(t *testing.T, telemetry *functionbin.Function) {
		a, other := newTenant(t), newTenant(t)
		url := telemetry.URL() + "/v1/x"
		f := func(what string, change func(), query string) {
			t.Helper()
			a.device("device", password("p"))
			a.device("sensor", `{"gatewaySelector":{"matchNames":["device"]}}`)
			a.specify(`{}`)
			login := "device@" + a.name + ":p"
			neighbour.Eventually(t, "the device to be admitted before "+what, func() bool {
				return post(t, url+query, login, "x").status == http.StatusAccepted
			})
			change()
			eventuallyRefused(t, url+query, login)
		}
		other.device("device", password("p"))
		accepted(t, "another application", post(t, url, "device@"+other.name+":p", "x"))

		f("device disabled", func() {
			a.device("device", `{"core":{"disabled":true},"authentication":{"credentials":[{"pass":"p"}]}}`)
		}, "")
		f("application disabled", func() { a.specify(`{"core":{"disabled":true}}`) }, "")
		f("password changed", func() { a.device("device", password("q")) }, "")
		f("gateway not wanted any more", func() { a.device("sensor", `{}`) }, "?as=sensor")
		f("sensor disabled", func() {
			a.device("sensor", `{"core":{"disabled":true},"gatewaySelector":{"matchNames":["device"]}}`)
		}, "?as=sensor")
		f("device deleted", func() { a.remove("device") }, "")

		accepted(t, "another application", post(t, url, "device@"+other.name+":p", "x"))
	})
}

// TestNewDeviceIsHeardOf creates a device that was refused a moment ago.
func TestNewDeviceIsHeardOf(t *testing.T) {
	telemetries(t, func(t *testing.T, telemetry *functionbin.Function) {
		a := newTenant(t)
		url := telemetry.URL() + "/v1/x"
		refused(t, "before", post(t, url, "late@"+a.name+":p", "x"))
		a.device("late", password("p"))
		neighbour.Eventually(t, "the device to be admitted", func() bool {
			return post(t, url, "late@"+a.name+":p", "x").status == http.StatusAccepted
		})
	})
}

// TestRevocationUnderLoad changes passwords while devices send without a pause. Telemetry and the authentication function
// hear of each change one after the other: what one of them still says meanwhile must not stay in the other.
func TestRevocationUnderLoad(t *testing.T) {
	const rounds = 40
	telemetries(t, func(t *testing.T, telemetry *functionbin.Function) {
		a := newTenant(t)
		for i := range rounds {
			name := "device-" + strconv.Itoa(i)
			a.device(name, password("p"))
			senders := startSenders(t, telemetry, name+"@"+a.name)
			neighbour.Eventually(t, name+" to be admitted", func() bool { return senders.accepted.Load() >= 20 })
			a.device(name, password("q"))
			neighbour.Eventually(t, name+" to be refused everywhere", func() bool { return senders.refused.Load() == sendersAtOnce })
			senders.wait()
		}
	})
}

const sendersAtOnce = 4

// senders post in a device's name, each until it is refused.
type senders struct {
	accepted, refused atomic.Int64
	wait              func()
}

func startSenders(t *testing.T, f *functionbin.Function, user string) *senders {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var s senders
	var running sync.WaitGroup
	s.wait = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(s.wait)
	for range sendersAtOnce {
		running.Go(func() {
			for ctx.Err() == nil {
				switch status := sendAs(ctx, f, user); {
				case status == http.StatusForbidden:
					s.refused.Add(1)
					return
				case status == http.StatusAccepted:
					s.accepted.Add(1)
				case ctx.Err() == nil:
					t.Errorf("%s is answered with %d", user, status)
					return
				}
			}
		})
	}
	return &s
}

// sendAs posts once with the password "p" and returns the status, 0 if there was no answer.
func sendAs(ctx context.Context, f *functionbin.Function, user string) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.URL()+"/v1/x", strings.NewReader("x"))
	if err != nil {
		return 0
	}
	request.SetBasicAuth(user, "p")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}
