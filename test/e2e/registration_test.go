//go:build integration

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
)

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// A plant has a registry that registers devices, and MQTT gateways at which they connect.
type plant struct {
	*office
	api      *functionbin.Function
	gateways []*mqttGateway
}

// newPlant starts everything that registering needs, around a database of its own.
func newPlant(t *testing.T, gateways int) *plant {
	t.Helper()
	const token = "token for registering devices, and for nothing else"
	p := &plant{office: newOffice(t)}
	p.api = p.openAs(t, "registry", "FAIRLEAD_REGISTRY_REGISTRATION_TOKEN="+token)
	auth := p.openAs(t, "auth", "FAIRLEAD_AUTH_REGISTRY_URL="+p.api.URL(), "FAIRLEAD_AUTH_REGISTRY_TOKEN="+token)
	settings := append(frontSettings(), "FAIRLEAD_AUTH_CLIENT_URL="+auth.URL(), "FAIRLEAD_CACHE_URL="+here.redis.URL(),
		"FAIRLEAD_CACHE_INSTANCE="+p.topic, "FAIRLEAD_KAFKA_BROKERS="+here.kafka.Brokers()[0])
	for range gateways {
		p.gateways = append(p.gateways, startMQTT(t, settings))
	}
	return p
}

// openAs starts a function with the office's settings.
func (p *plant) openAs(t *testing.T, name string, settings ...string) *functionbin.Function {
	t.Helper()
	f, err := here.function(bounded(t), name, append(append(frontSettings(), p.settings...), settings...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Kill)
	return f
}

// connect has mosquitto_pub show a certificate to a gateway, and tells whether its message was taken.
func (p *plant) connect(o *openssl, name string, gateway int) bool {
	g := p.gateways[gateway]
	_, ok := mosquitto(p.t, "mosquitto_pub", g.tls, "--cert", o.file(name+".crt"), "--key", o.file(name+".key"), "--cafile", g.ca, "-q", "1", "-t", "x", "-m", name)
	return ok
}

// TestRegistrationAtTheFirstConnection has mosquitto_pub be a device that nobody has entered.
func TestRegistrationAtTheFirstConnection(t *testing.T) {
	const gateways = 2
	p, o := newPlant(t, gateways), newOpenSSL(t)
	name := "plant-" + strings.ToLower(p.topic[len(p.topic)-8:])
	o.authority("ca", "/CN="+name)
	o.authority("impostor", "/CN="+name)
	for _, device := range []string{"one", "two", "three", "four"} {
		o.issue(device, "/O=Plant/CN="+device, "ca", "2", forClients)
	}
	o.issue("foreign", "/O=Plant/CN=foreign", "impostor", "2", forClients)
	section := func(more string) string {
		return fmt.Sprintf(`{"trustAnchors":{"anchors":[{"certificate":%q}]},"deviceRegistration":{"enabled":true,"template":{"labels":{"site":"attic"}}%s}}`,
			base64.StdEncoding.EncodeToString(o.read("ca.crt")), more)
	}
	p.do(p.api, "POST", "", `{"metadata":{"name":"`+name+`"},"spec":`+section("")+`}`, 201)
	neighbour.Eventually(t, "the topic "+event.Topic(name), func() bool { return p.connect(o, "one", 0) })
	var device registry.Device
	decode(t, p.do(p.api, "GET", "/"+name+"/devices/one", "", 200), &device)
	if device.Metadata.Labels["site"] != "attic" || len(device.Metadata.Labels[registry.LabelTrustAnchor]) != 64 || string(device.Spec[registry.SectionAlias]) != `["O=Plant, CN=one"]` {
		t.Errorf("registered as %+v", device)
	}
	if p.connect(o, "foreign", 0) {
		t.Error("a device of another authority is admitted")
	}

	var together sync.WaitGroup // one device at both gateways, for the first time
	for gateway := range gateways {
		together.Go(func() { p.connect(o, "two", gateway) })
	}
	together.Wait()
	if !p.connect(o, "two", 1) {
		t.Error("a device that two gateways have met is not admitted")
	}
	p.expectDevices(name, "one", "two")

	p.do(p.api, "PUT", "/"+name, `{"metadata":{"name":"`+name+`"},"spec":`+section(`,"maxDevices":3`)+`}`, 204)
	neighbour.Eventually(t, "the third device to be registered", func() bool { return p.connect(o, "three", 0) })
	if p.connect(o, "four", 0) {
		t.Error("there are more devices than there may be")
	}
	p.expectDevices(name, "one", "three", "two")
	p.do(p.api, "PATCH", "/"+name+"/devices/one", `{"spec":{"core":{"disabled":true}}}`, 204)
	neighbour.Eventually(t, "the device to be refused", func() bool { return !p.connect(o, "one", 1) })

	p.settled()
	if events := p.told()["drogue/"+name+"/two"]; len(events) != 1 || events[0].kind != "io.drogue.registry.change.device" || events[0].path != "." {
		t.Errorf("the registration is told as %+v", events)
	}
}

// expectDevices lists the devices of an application.
func (p *plant) expectDevices(application string, want ...string) {
	p.t.Helper()
	var list []registry.Device
	decode(p.t, p.do(p.api, "GET", "/"+application+"/devices", "", 200), &list)
	var got []string
	for _, d := range list {
		got = append(got, d.Metadata.Name)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		p.t.Errorf("there are the devices %q, want %q", got, want)
	}
}
