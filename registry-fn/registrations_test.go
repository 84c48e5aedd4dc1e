package registryfn

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

// registering is an application that wishes devices to be registered.
func registering(name, section string, certificates ...string) string {
	return strings.Replace(anchored(name, certificates...), `"spec":{`, `"spec":{"deviceRegistration":`+section+`,`, 1)
}

func registration(chain ...[]byte) string {
	texts := make([]string, len(chain))
	for i, der := range chain {
		texts[i] = `"` + base64.StdEncoding.EncodeToString(der) + `"`
	}
	return `{"certificates":[` + strings.Join(texts, ",") + `]}`
}

func TestRegistrations(t *testing.T) {
	w := newWorld(t)
	ca, other := newAuthority(t, "Application 1"), newAuthority(t, "Application 1")
	const path = app + "/registrations"
	put := func(section string) {
		t.Helper()
		w.ok("alice", "PUT", app, registering("app-1", section, ca.text()))
	}
	leaf := func(name string) string { return registration(ca.issue(name).Raw) }
	refused := func(what, body, reason string) {
		t.Helper()
		got := w.as("part", "POST", path, body)
		if got.status != 409 || !strings.Contains(got.body, reason) {
			t.Errorf("%s: %d %s, want 409 %s", what, got.status, got.body, reason)
		}
	}
	w.ok("alice", "POST", apps, anchored("app-1", ca.text()))
	refused("without a section", leaf("d1"), "wishes none")
	put(`{"enabled":false}`)
	refused("switched off", leaf("d1"), "wishes none")
	put(`{"enabled":true,"requireProof":true,"template":{"labels":{"site":"attic"},"annotations":{"a":"b"},"spec":{"core":{"disabled":true}}}}`)
	refused("without a proof", leaf("d1"), "not proven")
	w.prove(ca)

	w.as("alice", "POST", path, leaf("d1")).want(t, 403, "-")
	w.as("", "POST", path, leaf("d1")).want(t, 403, "-")
	w.as(testConfig().RegistrationToken, "POST", path, registration()).want(t, 409, "-")
	w.as(testConfig().RegistrationToken, "GET", app, "").want(t, 403, "-")
	w.as("nobody", "POST", path, leaf("d1")).want(t, 403, "-")
	w.as("part", "POST", apps+"/none/registrations", leaf("d1")).want(t, 404, "-")
	w.as("part", "POST", path, `{"certificates":"x"}`).want(t, 400, badRequestBody)
	w.as("part", "POST", path, `{"chain":[]}`).want(t, 400, badRequestBody)
	refused("no certificate", registration(), "not acceptable")
	refused("nothing of a certificate", registration([]byte("x")), "not acceptable")
	refused("another authority", registration(other.issue("d1").Raw), "not acceptable")
	refused("the authority itself", registration(ca.certificate.Raw), "an authority's")
	refused("no name", registration(ca.issue(strings.Repeat("x", 300)).Raw), "cannot be the name")

	want := `{"metadata":{"name":"d1","application":"app-1","uid":"*","creationTimestamp":"*","generation":1,"resourceVersion":"*",
		"labels":{"site":"attic","trust-anchor":"` + registry.Fingerprint(ca.certificate) + `"},"annotations":{"a":"b"}},"spec":{"alias":["CN=d1"],"core":{"disabled":true}}}`
	w.as("part", "POST", path, leaf("d1")).want(t, 200, want)
	w.as("part", "POST", path, leaf("d1")).want(t, 200, want) // another certificate of the same device
	w.ok("alice", "GET", devices+"/d1", "").want(t, 200, want)
	if !w.redis.heard("app-1/d1") {
		t.Error("nobody was told of the new device")
	}
	w.ok("alice", "POST", devices, `{"metadata":{"name":"d2"}}`)
	refused("the name of another device", leaf("d2"), "another device")

	put(`{"enabled":true,"maxDevices":3}`)
	w.as("part", "POST", path, leaf("d3")).want(t, 200, "-")
	refused("too many", leaf("d4"), "as many devices as it may")
	w.as("part", "POST", path, leaf("d3")).want(t, 200, "-")
	put(`{"enabled":true,"perMinute":3}`)
	w.as("part", "POST", path, leaf("d4")).want(t, 429, "-")
	w.as("part", "POST", path, leaf("d3")).want(t, 200, "-")
	w.ok("alice", "PATCH", app, `{"spec":{"core":{"disabled":true}}}`)
	refused("a disabled application", leaf("d3"), "wishes none")
	w.as("alice", "PATCH", app, `{"spec":{"deviceRegistration":{"maxDevice":1}}}`).want(t, 400, badRequestBody)
}

// prove proves the key of the one trust anchor of app-1.
func (w *world) prove(ca *authority) {
	w.Helper()
	path := app + "/trust-anchors/" + registry.Fingerprint(ca.certificate)
	var given possession
	if err := json.Unmarshal([]byte(w.ok("alice", "GET", path+"/code", "").body), &given); err != nil {
		w.Fatal(err)
	}
	w.ok("alice", "PUT", path+"/proof", `{"certificate":"`+textOf(ca.issue(given.Code))+`"}`)
}

// TestRegistrationsAtOnce has several gateways meet the same devices at the same time.
func TestRegistrationsAtOnce(t *testing.T) {
	w := newWorld(t)
	ca := newAuthority(t, "Application 1")
	w.ok("alice", "POST", apps, registering("app-1", `{"enabled":true,"maxDevices":4}`, ca.text()))
	const names, gateways = 8, 4
	var uids [names][gateways]string
	var running sync.WaitGroup
	for name := range names {
		chain := auth.CertificateChain{ca.issue(fmt.Sprint("d", name)).Raw}
		for gateway := range gateways {
			running.Go(func() {
				d, err := w.handler.Register(t.Context(), "app-1", chain)
				if err == nil {
					uids[name][gateway] = d.Metadata.UID
				} else if !errors.Is(err, auth.ErrNotRegistered) {
					t.Error(err)
				}
			})
		}
	}
	running.Wait()
	registered := 0
	for name, of := range uids {
		for _, uid := range of {
			if uid != of[0] {
				t.Errorf("device %d is %v", name, of)
			}
		}
		if of[0] != "" {
			registered++
		}
	}
	list, err := w.store.Devices(t.Context(), "app-1", w.uid("app-1"), store.Query{})
	if err != nil || len(list) != 4 || registered != 4 {
		t.Errorf("%d devices are registered, and %d are there: %v; want 4", registered, len(list), err)
	}
}

func (w *world) uid(application string) string {
	w.Helper()
	a, err := w.store.Application(w.Context(), application)
	if err != nil {
		w.Fatal(err)
	}
	return a.Metadata.UID
}
