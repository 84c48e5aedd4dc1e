package mqtt

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/fairlead/fairlead/internal/auth"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/presence"
	"github.com/fairlead/fairlead/internal/registry"
)

// logIn judges a CONNECT as the gateway does.
func logIn(ctx context.Context, g *Gateway, c client, p *packet.Connect) (*session, error) {
	return g.connect(ctx, c, p, requestOf(c, p))
}

func TestConnect(t *testing.T) {
	f := func(username, password, clientID string, want outcome.Outcome) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) { // refusals take their time
			testConnect(t, username, password, clientID, want)
		})
	}
	f("device@app", "secret", "", outcome.Accepted)
	f("device@app", "secret", "anything@all", outcome.Accepted)
	f("user", "pw", "named@app", outcome.Accepted)
	f("user", "pw", "nick@app", outcome.Accepted)
	f("device@app", "wrong", "", outcome.Unauthenticated)
	f("nobody@app", "secret", "", outcome.Unauthenticated)
	f("device@nowhere", "secret", "", outcome.Unauthenticated)
	f("device", "secret", "", outcome.Unauthenticated)
	f("device", "secret", "device", outcome.Unauthenticated)
}

func testConnect(t *testing.T, username, password, clientID string, want outcome.Outcome) {
	f := newFixture(nil)
	f.documents.putDevice("app", "named", "uid-named", `{"alias":["nick"],"authentication":{"credentials":[{"user":{"username":"user","password":"pw"}}]}}`)
	p := login()
	p.Username, p.Password, p.ClientID = username, []byte(password), clientID
	s, err := logIn(t.Context(), f.Gateway, newPeer(), p)
	if got := outcome.Of(err); got != want {
		t.Errorf("%q, %q: %v, want %v", username, clientID, err, want)
		return
	}
	if want != outcome.Accepted {
		if s != nil || len(f.roll.claims) != 0 {
			t.Errorf("%q, %q: refused, but claimed", username, clientID)
		}
		return
	}
	if claimed := f.roll.claims[0].session; claimed != s.admission.Load() || claimed.Device.Metadata.Name == "nick" {
		t.Errorf("%q, %q: claimed for %q", username, clientID, claimed.Device.Metadata.Name)
	}
}

// What cannot be read is asked for too, so that it takes as long to refuse.
func TestEveryLogInIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(nil)
		started := time.Now()
		_, err := logIn(t.Context(), f.Gateway, newPeer(), &packet.Connect{Version: packet.V311})
		if outcome.Of(err) != outcome.Unauthenticated || time.Since(started) != auth.DefaultSteadyConfig().Quantum {
			t.Errorf("%v after %v", err, time.Since(started))
		}
	})
}

func TestConnectWithoutADecision(t *testing.T) {
	f := func(prepare func(*fixture), want outcome.Outcome) {
		t.Helper()
		fx := newFixture(nil)
		prepare(fx)
		if _, err := logIn(t.Context(), fx.Gateway, newPeer(), login()); outcome.Of(err) != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
	f(func(f *fixture) { f.documents.setAway(true) }, outcome.Unavailable)
	f(func(f *fixture) { f.roll.err = outcome.New(outcome.Unavailable, "x") }, outcome.Unavailable)
	f(func(f *fixture) { f.devices = busy{} }, outcome.Overloaded)
}

// busy is an authenticator that is asked too much.
type busy struct{ auth.Authenticator }

func (busy) Authenticate(context.Context, auth.Request) (*auth.Session, error) {
	return nil, outcome.New(outcome.Overloaded, "x")
}

// late decides after a while, like an authentication function that has to be started.
type late struct {
	auth.Authenticator
	after time.Duration
}

func (l late) Authenticate(ctx context.Context, r auth.Request) (*auth.Session, error) {
	select {
	case <-time.After(l.after):
		return l.Authenticator.Authenticate(ctx, r)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestConnectWaitsForAColdStart(t *testing.T) {
	f := func(after time.Duration, want outcome.Outcome) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			fx := newFixture(nil)
			fx.devices = late{fx.devices, after}
			ctx, cancel := context.WithTimeout(t.Context(), fx.config.Connection.ConnectTimeout)
			defer cancel()
			if _, err := logIn(ctx, fx.Gateway, newPeer(), login()); outcome.Of(err) != want {
				t.Errorf("after %v: %v, want %v", after, err, want)
			}
		})
	}
	f(3*time.Second, outcome.Accepted)
	f(9*time.Second, outcome.Accepted)
	f(time.Minute, outcome.Unavailable)
}

func TestDialectIsTheDevicesOrTheApplications(t *testing.T) {
	f := func(application, device string, want registry.Dialect, admitted bool) {
		t.Helper()
		fx := newFixture(nil)
		log, lines := observer.New(zap.InfoLevel)
		fx.log = zap.New(log)
		fx.documents.putApplication("app", application)
		fx.documents.putDevice("app", "device", "uid", `{"authentication":{"credentials":[{"pass":"secret"}]}`+device+`}`)
		s, err := logIn(t.Context(), fx.Gateway, newPeer(), login())
		if admitted {
			if err != nil || s.dialect != want {
				t.Errorf("%s %s: %v", application, device, err)
			}
			return
		}
		var refusal *protocol.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != packet.ImplementationSpecificError || refusal.Return != 3 || len(fx.roll.claims) != 0 {
			t.Errorf("%s %s: %v", application, device, err)
		}
		if lines.Len() != 1 || lines.All()[0].ContextMap()["device"] != "device" {
			t.Errorf("%s %s: log %v", application, device, lines.All())
		}
	}
	const plain = `"mqtt":{"dialect":{"type":"plainTopic"}}`
	f("", "", registry.DrogueV1, true)
	f("{"+plain+"}", "", registry.PlainTopic, true)
	f("", ","+plain, registry.PlainTopic, true)
	f("{"+plain+"}", `,"mqtt":{"dialect":{"type":"plainTopic","devicePrefix":true}}`, registry.PlainTopicWithDevice, true)
	f("", `,"mqtt":{"dialect":{"type":"azure"}}`, 0, false)
	f(`{"mqtt":7}`, "", 0, false)
}

func TestWill(t *testing.T) {
	f := func(w packet.Will, want packet.Reason, returned byte) {
		t.Helper()
		fx := newFixture(nil)
		p := login()
		p.Will = &w
		_, err := logIn(t.Context(), fx.Gateway, newPeer(), p)
		if want == packet.Success {
			will := presence.Will{Topic: w.Topic, ContentType: w.ContentType, Payload: w.Payload}
			if err != nil || !cmp.Equal(&will, fx.roll.claims[0].will) {
				t.Errorf("%q: %v", w.Topic, err)
			}
			return
		}
		refusal := &protocol.Refusal{Reason: packet.Reason(outcome.Of(err).Connack5()), Return: outcome.Of(err).Connack3()}
		errors.As(err, &refusal)
		if refusal.Reason != want || refusal.Return != returned || len(fx.roll.claims) != 0 {
			t.Errorf("%q: %+v, want %v and %d", w.Topic, err, want, returned)
		}
	}
	f(packet.Will{Topic: "gone", Payload: []byte("bye")}, packet.Success, 0)
	f(packet.Will{Topic: "a/b/c", ContentType: "text/plain", Payload: []byte("{")}, packet.Success, 0) // no dialect, no proxied device
	f(packet.Will{Topic: "gone", Payload: make([]byte, 64<<10)}, packet.Success, 0)
	f(packet.Will{Topic: "gone", Payload: make([]byte, 64<<10+1)}, packet.PacketTooLarge, 5)
	f(packet.Will{Topic: strings.Repeat("x", 2000)}, packet.TopicNameInvalid, 2)
	f(packet.Will{Topic: "gone", ContentType: strings.Repeat("x", 300)}, packet.UnspecifiedError, 2)
	f(packet.Will{Topic: "gone", ContentType: "application/json", Payload: []byte("{")}, packet.PayloadFormatInvalid, 5)
}

func TestConnectKeepsNothingOfThePacket(t *testing.T) {
	f := newFixture(nil)
	p := login()
	p.Will = &packet.Will{Topic: "gone", Payload: []byte("bye")}
	s, err := logIn(t.Context(), f.Gateway, newPeer(), p)
	if err != nil {
		t.Fatal(err)
	}
	clear(p.Password)
	clear(p.Will.Payload)
	if _, held := s.request.Credential.(auth.Proof); !held || s.request.Credential == auth.Proof("") {
		t.Errorf("the session keeps a %v", s.request.Credential)
	}
	if string(f.roll.claims[0].will.Payload) != "bye" {
		t.Error("the session changes with the packet")
	}
}

func TestClosed(t *testing.T) {
	f := func(e protocol.End, wantWill bool) {
		t.Helper()
		fx := newFixture(nil)
		s, _ := fx.connected(t)
		s.Subscribe(packet.Subscription{Filter: "command/inbox/#"}, 0, nil)
		s.Closed(e)
		if len(fx.roll.released) != 1 || fx.roll.released[0] != wantWill {
			t.Errorf("%+v: released %v", e, fx.roll.released)
		}
		if got := fx.subscriptions.Load(); got != 0 {
			t.Errorf("%d subscriptions are left", got)
		}
		fx.changed("app", "device")
		if got := fx.rechecker.Len(); got != 0 {
			t.Errorf("%d rechecks are left", got)
		}
	}
	f(protocol.End{Normal: true}, false)
	f(protocol.End{Reason: packet.DisconnectWithWill}, true)
	f(protocol.End{Reason: packet.KeepAliveTimeout}, true)
}

func TestLogsHoldNoSecrets(t *testing.T) {
	f := newFixture(nil)
	log, lines := observer.New(zap.DebugLevel)
	f.log = zap.New(log)
	p := login()
	p.Will = &packet.Will{Topic: "gone", Payload: []byte("private")}
	s, err := logIn(t.Context(), f.Gateway, newPeer(), p)
	if err != nil {
		t.Fatal(err)
	}
	f.documents.setAway(true)
	_, err = s.Renew(t.Context())
	s.End(protocol.RecheckGivenUp, err)
	s.Closed(protocol.End{})
	if lines.Len() < 2 {
		t.Errorf("%d lines", lines.Len())
	}
	for _, line := range lines.All() {
		for _, secret := range []string{"secret", "private"} {
			if strings.Contains(line.Message, secret) || strings.Contains(cmp.Diff(nil, line.ContextMap()), secret) {
				t.Errorf("%s %v", line.Message, line.ContextMap())
			}
		}
	}
}
