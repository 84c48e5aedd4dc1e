//go:build integration

package e2e

import (
	"context"
	"net/http"
	"testing"

	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// kill ends a neighbour as a power cut would. It runs again when restart is called, or at the end of the test.
func kill(t *testing.T, p *neighbour.Process) (restart func()) {
	t.Helper()
	p.Kill()
	running := false
	restart = func() {
		t.Helper()
		if running {
			return
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		running = true
	}
	t.Cleanup(func() {
		if running {
			return
		}
		// The test's own context has ended by now.
		if err := p.Start(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return restart
}

func TestKafkaDiesUnderLoad(t *testing.T) {
	telemetries(t, func(t *testing.T, telemetry *functionbin.Function) {
		l := startLoad(t, telemetry)
		l.more(500)
		restart := kill(t, here.kafka.Process)
		l.undecided(2 * loadDevices)
		restart()
		l.more(500)
		l.verify()
		if n := l.noAnswer(); n > 0 {
			t.Errorf("%d requests were not answered", n)
		}
	})
}

func TestFunctionDiesUnderLoad(t *testing.T) {
	f := ownTelemetry(t)
	l := startLoad(t, f)
	for range 3 {
		l.more(300)
		restart := kill(t, f.Process)
		l.undecided(1)
		restart()
	}
	l.more(300)
	l.verify()
}

// TestFunctionStopsUnderLoad checks that who was heard was answered: what is stored was acknowledged.
func TestFunctionStopsUnderLoad(t *testing.T) {
	f := ownTelemetry(t)
	l := startLoad(t, f)
	for range 3 {
		l.more(300)
		stop(t, f)
		l.undecided(1)
		if err := f.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	l.more(300)
	for _, s := range l.verify() {
		if !l.checker.Acknowledged(s.Message) {
			t.Errorf("number %d of %s was stored, and nobody told its sender", s.Number, s.Device)
		}
	}
}

func TestRedisDies(t *testing.T) {
	telemetries(t, func(t *testing.T, telemetry *functionbin.Function) {
		a := newTenant(t)
		a.device("known", password("p"))
		a.device("new", password("p"))
		url := telemetry.URL() + "/v1/x"
		accepted(t, "before", post(t, url, "known@"+a.name+":p", "x"))

		restart := kill(t, here.redis.Process)
		accepted(t, "a known device", post(t, url, "known@"+a.name+":p", "x"))
		accepted(t, "a device that nobody has looked up yet", post(t, url, "new@"+a.name+":p", "x"))
		refused(t, "an unknown device", post(t, url, "unknown@"+a.name+":p", "x"))
		refused(t, "a wrong password", post(t, url, "known@"+a.name+":q", "x"))
		ready(t, telemetry)

		// The functions heard nothing of changes for a while, and must hear of them again.
		changes := a.deviceUntold("known", password("changed"))
		restart()
		a.tell(changes)
		eventuallyRefused(t, url, "known@"+a.name+":p")
		accepted(t, "the new password", post(t, url, "known@"+a.name+":changed", "x"))
	})
}

func TestPostgresDies(t *testing.T) {
	telemetries(t, func(t *testing.T, telemetry *functionbin.Function) {
		a := newTenant(t)
		a.device("new", password("p"))
		url := telemetry.URL() + "/v1/x"
		a.deviceInRedis(url, "known", "p")

		restart := kill(t, here.postgres.Process)
		accepted(t, "a known device", post(t, url, "known@"+a.name+":p", "x"))
		refused(t, "a known device with a wrong password", post(t, url, "known@"+a.name+":q", "x"))
		unavailable(t, "a device that nobody has looked up yet", post(t, url, "new@"+a.name+":p", "x"), authenticationOff)
		unavailable(t, "an unknown device", post(t, url, "unknown@"+a.name+":p", "x"), authenticationOff)

		restart()
		eventuallyAccepted(t, url, "new@"+a.name+":p")
		refused(t, "an unknown device", post(t, url, "unknown@"+a.name+":p", "x"))
	})
}

// TestKnownDevicesOutliveTheirProcess has a new process serve, without the store, the devices that Redis knows.
func TestKnownDevicesOutliveTheirProcess(t *testing.T) {
	a := newTenant(t)
	a.device("new", password("p"))
	a.deviceInRedis(here.telemetry.URL()+"/v1/x", "known", "p")
	kill(t, here.postgres.Process)
	f := ownTelemetry(t)
	accepted(t, "a known device", post(t, f.URL()+"/v1/x", "known@"+a.name+":p", "x"))
	unavailable(t, "another", post(t, f.URL()+"/v1/x", "new@"+a.name+":p", "x"), authenticationOff)
}

func TestAuthenticationFunctionDies(t *testing.T) {
	a := newTenant(t)
	a.device("known", password("p"))
	a.device("new", password("p"))
	url := here.remote.URL() + "/v1/x"
	accepted(t, "before", post(t, url, "known@"+a.name+":p", "x"))

	restart := kill(t, here.auth.Process)
	accepted(t, "a known device", post(t, url, "known@"+a.name+":p", "x"))
	unavailable(t, "another", post(t, url, "new@"+a.name+":p", "x"), authenticationOff)
	restart()
	eventuallyAccepted(t, url, "new@"+a.name+":p")
}

func TestReadiness(t *testing.T) {
	functions := map[string]*functionbin.Function{
		"telemetry": here.telemetry, "ttn": here.ttn, "auth": here.auth, "telemetry with the authentication function": here.remote,
	}
	check := func(t *testing.T, name string, want int) {
		t.Helper()
		url := functions[name].URL() + "/health/readiness"
		neighbour.Eventually(t, name+" to change its mind", func() bool { return curl(t, nil, url).status == want })
	}
	all := func(t *testing.T, want int, names ...string) {
		t.Helper()
		for _, name := range names {
			check(t, name, want)
		}
	}
	const yes, no = http.StatusOK, http.StatusServiceUnavailable

	t.Run("without Kafka", func(t *testing.T) {
		restart := kill(t, here.kafka.Process)
		all(t, no, "telemetry", "ttn", "telemetry with the authentication function")
		all(t, yes, "auth")
		restart()
		all(t, yes, "telemetry", "ttn", "telemetry with the authentication function")
	})
	t.Run("without the registry", func(t *testing.T) {
		restartRedis := kill(t, here.redis.Process)
		restartPostgres := kill(t, here.postgres.Process)
		all(t, no, "telemetry", "ttn", "auth")
		if got := curl(t, nil, here.telemetry.URL()+"/health/liveness").status; got != yes {
			t.Errorf("liveness %d: a restart of the function would bring nothing back", got)
		}
		restartPostgres()
		all(t, yes, "telemetry", "ttn", "auth")
		restartRedis()
		all(t, yes, "telemetry", "ttn", "auth")
	})
}

func ready(t *testing.T, f *functionbin.Function) {
	t.Helper()
	if err := f.Ready(bounded(t)); err != nil {
		t.Error(err)
	}
}

// eventuallyRefused waits until a log-in is refused. Until then it is answered with 202, never with anything else.
func eventuallyRefused(t *testing.T, url, credentials string) {
	t.Helper()
	eventually(t, http.StatusForbidden, http.StatusAccepted, url, credentials)
}

// eventuallyAccepted waits until a log-in is admitted. Until then it is answered with 503, never with 403.
func eventuallyAccepted(t *testing.T, url, credentials string) {
	t.Helper()
	eventually(t, http.StatusAccepted, http.StatusServiceUnavailable, url, credentials)
}

func eventually(t *testing.T, want, meanwhile int, url, credentials string) {
	t.Helper()
	neighbour.Eventually(t, credentials+" to be answered with "+http.StatusText(want), func() bool {
		got := post(t, url, credentials, "x").status
		if got != want && got != meanwhile {
			t.Fatalf("%s is answered with %d, want %d or, for a while, %d", credentials, got, want, meanwhile)
		}
		return got == want
	})
}
