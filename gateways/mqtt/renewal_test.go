package mqtt

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/registry"
)

// rechecking runs the fixture's rechecker until the end of the test.
func (f *fixture) rechecking(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.rechecker.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-done })
}

const withPassword = `{"authentication":{"credentials":[{"pass":"secret"}]}}`

func TestRenewal(t *testing.T) {
	f := func(what string, change func(*fixture), want packet.Reason) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			fx := newFixture(nil)
			fx.rechecking(t)
			s, p := fx.connected(t)
			first := s.admission.Load()
			change(fx)
			synctest.Wait()
			if got := p.end(); got != want {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
			if replaced := s.admission.Load() != first; replaced != (want == 0) {
				t.Errorf("%s: admission replaced %v", what, replaced)
			}
			s.Closed(closedNormally)
		})
	}
	device := func(uid, spec string) func(*fixture) {
		return func(f *fixture) {
			f.documents.putDevice("app", "device", uid, spec)
			f.changed("app", "device")
		}
	}
	application := func(spec string) func(*fixture) {
		return func(f *fixture) {
			f.documents.putApplication("app", spec)
			f.changed("app", "")
		}
	}
	f("something else of the device", device("uid-device", withPassword), 0)
	f("something else of the application", application(`{"publish":{"rules":[]}}`), 0)
	f("everything may have changed", func(f *fixture) { f.decisions.InvalidateAll() }, 0)
	f("another password", device("uid-device", `{"authentication":{"credentials":[{"pass":"new"}]}}`), packet.AdministrativeAction)
	f("disabled device", device("uid-device", `{"core":{"disabled":true},"authentication":{"credentials":[{"pass":"secret"}]}}`), packet.AdministrativeAction)
	f("deleted and made again", device("uid-2", withPassword), packet.AdministrativeAction)
	f("disabled application", application(`{"core":{"disabled":true}}`), packet.AdministrativeAction)
	f("deleted device", func(f *fixture) {
		f.documents.mu.Lock()
		delete(f.documents.devices, [2]string{"app", "device"})
		f.documents.mu.Unlock()
		f.changed("app", "device")
	}, packet.AdministrativeAction)
	f("alias moved to another device", func(f *fixture) {
		f.documents.putDevice("app", "heir", "uid-heir", `{"alias":["device"],"authentication":{"credentials":[{"pass":"secret"}]}}`)
		f.changed("app", "device")
	}, packet.AdministrativeAction)
}

// The new admission is watched as well.
func TestRenewedSessionIsRevokedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(nil)
		f.rechecking(t)
		s, p := f.connected(t)
		for range 3 {
			f.changed("app", "device")
			synctest.Wait()
		}
		if got := p.end(); got != 0 {
			t.Fatal(got)
		}
		f.documents.putDevice("app", "device", "uid-device", "")
		f.changed("app", "device")
		synctest.Wait()
		if got := p.end(); got != packet.AdministrativeAction {
			t.Error(got)
		}
		s.Closed(closedNormally)
	})
}

func TestUndecidedRenewal(t *testing.T) {
	f := func(back time.Duration, password string, want packet.Reason) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			fx := newFixture(func(c *Config) { c.RenewalTimeout = time.Minute })
			fx.rechecking(t)
			s, p := fx.connected(t)
			fx.documents.setAway(true)
			fx.changed("app", "device")
			time.Sleep(back)
			if got := p.end(); got != 0 && want != packet.ServerUnavailable {
				t.Errorf("ended with %v before anybody could decide", got)
			}
			if got := published(t, s, packet.Publish{Topic: "meanwhile"}); got.Reason != packet.Success && want != packet.ServerUnavailable {
				t.Errorf("meanwhile: %+v", got)
			}
			fx.documents.putDevice("app", "device", "uid-device", `{"authentication":{"credentials":[{"pass":"`+password+`"}]}}`)
			fx.documents.setAway(false)
			time.Sleep(10 * time.Second) // longer than the longest pause between attempts
			if got := p.end(); got != want {
				t.Errorf("away for %v: %v, want %v", back, got, want)
			}
			s.Closed(closedNormally)
			if got := fx.rechecker.Len(); got != 0 {
				t.Errorf("%d rechecks are left", got)
			}
		})
	}
	f(30*time.Second, "secret", 0)
	f(30*time.Second, "changed", packet.AdministrativeAction)
	f(2*time.Minute, "secret", packet.ServerUnavailable)
}

func TestRenewalTriesArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(nil)
		f.rechecking(t)
		s, _ := f.connected(t)
		f.documents.setAway(true)
		before := f.documents.times()
		f.changed("app", "device")
		time.Sleep(f.config.RenewalTimeout - time.Second)
		if asked := f.documents.times() - before; asked < 8 || asked > 40 {
			t.Errorf("asked %d times within a minute", asked)
		}
		s.Closed(closedNormally)
	})
}

// A change of an application concerns all its devices.
func TestManyRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const devices = 2000
		f := newFixture(func(c *Config) { c.Renewals, c.RenewalSpread = 8, time.Second })
		f.rechecking(t)
		counted := &counting{Authenticator: f.devices}
		f.devices = counted
		var sessions []*session
		var peers []*peer
		for i := range devices {
			name := "d" + strconv.Itoa(i)
			f.documents.putDevice("app", name, name, withPassword)
			p, c := newPeer(), login()
			c.Username = name + "@app"
			s, err := logIn(t.Context(), f.Gateway, p, c)
			if err != nil {
				t.Fatal(err)
			}
			sessions, peers = append(sessions, s), append(peers, p)
		}
		started := time.Now()
		f.documents.putApplication("app", `{"core":{"disabled":true}}`)
		f.changed("app", "")
		time.Sleep(2 * time.Second)
		for _, p := range peers {
			if p.end() != packet.AdministrativeAction {
				t.Fatalf("a session goes on %v after its application was disabled", time.Since(started))
			}
		}
		if most := counted.most.Load(); most > 8 {
			t.Errorf("%d at once", most)
		}
		for _, s := range sessions {
			s.Closed(protocol.End{Reason: packet.AdministrativeAction})
		}
	})
}

// A session that closes while its log-in is judged again holds nothing afterwards.
func TestCloseDuringRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(nil)
		s, p := f.connected(t)
		f.rechecking(t)
		f.devices = late{f.devices, time.Second}
		f.changed("app", "device")
		synctest.Wait()
		s.Closed(closedNormally)
		time.Sleep(2 * time.Second)
		f.changed("app", "device")
		synctest.Wait()
		if f.rechecker.Len() != 0 || p.end() != 0 {
			t.Errorf("%d rechecks, end %v", f.rechecker.Len(), p.end())
		}
	})
}

func TestCertificateThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(nil)
		f.rechecking(t)
		ca, device, _ := newCertificates(t, "app", "device", time.Hour)
		f.documents.trust("app", ca)
		f.documents.putDevice("app", "device", "uid-device", `{"alias":["CN=device"]}`)
		p := newPeer()
		p.chain = []*x509.Certificate{device}
		s, err := logIn(t.Context(), f.Gateway, p, &packet.Connect{Version: packet.V5})
		if err != nil {
			t.Fatal(err)
		}
		f.changed("app", "device") // does not make it forget the end
		time.Sleep(59 * time.Minute)
		if got := p.end(); got != 0 {
			t.Errorf("ended before its time: %v", got)
		}
		time.Sleep(2 * time.Minute)
		if got := p.end(); got != packet.AdministrativeAction {
			t.Errorf("after the end: %v", got)
		}
		s.Closed(protocol.End{})
	})
}

// newCertificates makes an authority and a certificate that it issued.
func newCertificates(t *testing.T, application, device string, life time.Duration) (ca, leaf *x509.Certificate, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(template, parent *x509.Certificate) *x509.Certificate {
		template.SerialNumber = big.NewInt(1)
		template.NotBefore = time.Now().Add(-time.Minute)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		issued, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: application}, NotAfter: time.Now().Add(100 * life),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca = issue(template, template)
	return ca, issue(&x509.Certificate{Subject: pkix.Name{CommonName: device}, NotAfter: time.Now().Add(life), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca), key
}

// trust has an application trust an authority.
func (d *documents) trust(application string, ca *x509.Certificate) {
	anchors, err := json.Marshal(registry.TrustAnchors{Anchors: []registry.TrustAnchor{{Valid: &registry.ValidAnchor{
		Subject:     "CN=" + ca.Subject.CommonName,
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}),
		NotBefore:   ca.NotBefore, NotAfter: ca.NotAfter,
	}}}})
	if err != nil {
		panic(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	a := *d.applications[application]
	a.Status = registry.Sections{registry.SectionTrustAnchors: anchors}
	d.applications[application] = &a
	d.applications["CN="+ca.Subject.CommonName] = &a
}
