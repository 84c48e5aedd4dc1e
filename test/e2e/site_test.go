//go:build integration

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/devcloud"
	"github.com/fairlead/fairlead/internal/devcloud/authority"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/test/gatewaybin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// A site is an installation as its clients see it, whose registry is managed with curl.
type site struct {
	http, api, coap, coaps string   // URLs
	mqtt                   string   // host:port
	metrics                string   // URL of those of the process that serves MQTT
	manager                []string // curl's arguments for the log-in of who manages the registry
	broker                 string   // host:port
}

// sites calls f with each way in which an installation runs.
func sites(t *testing.T, f func(t *testing.T, s *site)) {
	t.Run("one process", func(t *testing.T) { f(t, ownDev(t)) })
	t.Run("split processes", func(t *testing.T) { f(t, splitSite(t)) })
}

// devProgram is the command line, built at the first use.
var devProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(here.dir, "fairlead")
	build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", path, "github.com/fairlead/fairlead/cmd/fairlead")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if output, err := build.CombinedOutput(); err != nil {
		return "", errors.New("building the command line: " + string(output))
	}
	return path, nil
})

// startDev runs `fairlead dev` on free ports for one test.
func startDev(t *testing.T, flags ...string) (*neighbour.Process, devcloud.Note) {
	t.Helper()
	return startDevIn(t, t.TempDir(), flags...)
}

// startDevIn is startDev with a data folder, which may be that of a process that has ended.
func startDevIn(t *testing.T, data string, flags ...string) (*neighbour.Process, devcloud.Note) {
	t.Helper()
	program, err := devProgram()
	if err != nil {
		t.Fatal(err)
	}
	var note devcloud.Note
	process, err := neighbour.StartProcess(bounded(t), neighbour.Command{
		Name: "fairlead-dev", Path: program, Args: append([]string{"dev", "--random-ports", "--data", data}, flags...),
		Ready: func(context.Context) error {
			text, err := os.ReadFile(filepath.Join(data, devcloud.NoteFile))
			if err != nil {
				return err
			}
			return json.Unmarshal(text, &note)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(process.Stop(), process.Close()); err != nil {
			t.Error(err)
		}
	})
	return process, note
}

// devRefuses runs `fairlead dev` with what it does not take, and checks what it says.
func devRefuses(t *testing.T, want string, flags ...string) {
	t.Helper()
	program, err := devProgram()
	if err != nil {
		t.Fatal(err)
	}
	process, err := neighbour.StartProcess(bounded(t), neighbour.Command{
		Name: "fairlead-dev", Path: program, Args: append([]string{"dev", "--random-ports", "--data", t.TempDir()}, flags...),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := process.Wait(bounded(t))
	if said, err := os.ReadFile(process.LogPath()); err != nil || ended == nil || !contains(string(said), want) {
		t.Errorf("it ended with %v and said %s, %v; want %q", ended, said, err, want)
	}
	if err := process.Close(); err != nil {
		t.Error(err)
	}
}

// ownDev is a site of one process.
func ownDev(t *testing.T, flags ...string) *site {
	t.Helper()
	_, n := startDev(t, flags...)
	return siteOf(t, n)
}

// siteOf is the site of a process that has left a note.
func siteOf(t *testing.T, n devcloud.Note) *site {
	t.Helper()
	u, err := url.Parse(n.MQTT)
	if err != nil {
		t.Fatal(err)
	}
	return &site{
		http: n.HTTP, api: n.API, coap: n.COAP, coaps: n.COAPS, mqtt: u.Host, metrics: n.Metrics + "/metrics",
		manager: []string{"--header", "Authorization: Bearer " + n.Account.AccessToken}, broker: n.Kafka[0],
	}
}

// splitSite is a site whose gateways ask the authentication function, and hear of what the registry changes through Redis.
func splitSite(t *testing.T) *site {
	t.Helper()
	o := officeOf(t, here.store)
	o.settings = append(o.settings, here.registry()...)
	metrics := metricsAddress(t)
	g := ownMQTT(t, "FAIRLEAD_PROCESS_METRICS_PROTOCOL=prometheus", "FAIRLEAD_PROCESS_METRICS_ENDPOINT="+metrics)
	s := &site{
		http: here.remote.URL(), api: o.open().URL(), mqtt: g.tcp,
		metrics: "http://" + metrics + "/metrics", manager: user("alice:" + o.secret), broker: here.kafka.Brokers()[0],
	}
	s.startCoAP(t)
	return s
}

// startCoAP starts a process of the CoAP gateway.
func (s *site) startCoAP(t *testing.T) {
	t.Helper()
	_, plain, secure := ownCoAP(t, gatewaySettings())
	s.coap, s.coaps = "coap://"+plain, "coaps://"+secure
}

// ownCoAP starts a process of the CoAP gateway for one test, and gives its addresses.
func ownCoAP(t *testing.T, settings []string) (g *gatewaybin.Gateway, plain, secure string) {
	t.Helper()
	program, err := gatewayProgram()
	if err != nil {
		t.Fatal(err)
	}
	files, err := authority.Ensure(filepath.Join(here.dir, "mqtt-tls"))
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []*string{&plain, &secure} {
		if *address, err = gatewaybin.FreeAddress(); err != nil {
			t.Fatal(err)
		}
	}
	g, err = program.Start(bounded(t), "coap", append([]string{
		"FAIRLEAD_COAP_ADDRESS=" + plain, "FAIRLEAD_COAP_SECURE_ADDRESS=" + secure,
		"FAIRLEAD_COAP_CERTIFICATE_FILE=" + files.Certificate, "FAIRLEAD_COAP_KEY_FILE=" + files.Key,
	}, settings...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g, plain, secure
}

// manage sends a document to the registry's API, which has to take it.
func (s *site) manage(t *testing.T, method, path, document string) answer {
	t.Helper()
	arguments := append(s.manager[:len(s.manager):len(s.manager)], "--request", method, "--header", "Content-Type: "+jsonContent)
	got := curl(t, []byte(document), append(arguments, s.api+"/api/registry/v1alpha1/apps"+path)...)
	if got.status != 201 && got.status != 204 {
		t.Fatalf("%s %s: %d %s", method, path, got.status, got.body)
	}
	return got
}

// tenant makes an application with a name of its own. Its devices are made with manage.
func (s *site) tenant(t *testing.T) *tenant {
	t.Helper()
	name := "e2e-" + strings.ToLower(rand.Text()[:8])
	s.manage(t, "POST", "", `{"metadata":{"name":`+quote(name)+`}}`)
	return &tenant{t: t, name: name, topic: event.Topic(name), broker: s.broker}
}

// device makes a device.
func (s *site) device(a *tenant, name, spec string) answer {
	a.t.Helper()
	return s.manage(a.t, "POST", "/"+a.name+"/devices", deviceOf(a, name, spec))
}

// change replaces a device.
func (s *site) change(a *tenant, name, spec string) {
	a.t.Helper()
	s.manage(a.t, "PUT", "/"+a.name+"/devices/"+name, deviceOf(a, name, spec))
}

func deviceOf(a *tenant, name, spec string) string {
	return `{"metadata":{"name":` + quote(name) + `,"application":` + quote(a.name) + `},"spec":` + spec + `}`
}
