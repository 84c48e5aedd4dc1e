package external

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/downlink"
	"github.com/fairlead/fairlead/internal/outbound"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// TestRequests holds every type of endpoint against the wire contract, byte for byte.
func TestRequests(t *testing.T) {
	server := record(t, false)
	client := newClient(t, nil, nil)
	f := func(endpoint, device, name, payload, protocol, want string) {
		t.Helper()
		endpoint = strings.ReplaceAll(endpoint, "HERE", server.URL)
		got, ok, err := send(client, gateway("gw", endpoint), forDevice(device, name, payload))
		if err != nil || !ok || got != protocol {
			t.Errorf("%s of %s: %q, %v, %v", name, endpoint, got, ok, err)
			return
		}
		if text, _ := server.last(); text != want {
			t.Errorf("%s of %s:\n%s\nwant:\n%s", name, endpoint, text, want)
		}
	}
	const kind = "Content-Type: application/json\n\n"
	f(`{"url":"HERE/x?y=z"}`, "d", "set", "\x00\xff<a>", "http-endpoint", "POST /x?y=z\n"+kind+`{"application":"app","device":"d","command":"set","payload":"AP88YT4="}`)
	f(`{"url":"HERE/","method":"PUT","headers":{"X-Extra":"1"},"auth":{"basic":{"username":"u","password":"p"}}}`, "d", "a<b>&c", "", "http-endpoint",
		"PUT /\nAuthorization: Basic dTpw\nContent-Type: application/json\nX-Extra: 1\n\n"+`{"application":"app","device":"d","command":"a<b>&c","payload":""}`)
	for _, v2 := range []string{"ttn", "ttnv2"} {
		f(`{"type":"`+v2+`","url":"HERE/v2"}`, "d", "port:5", "hi", "ttn", "POST /v2\n"+kind+`{"dev_id":"d","port":5,"confirmed":false,"payload_raw":"aGk="}`)
		f(`{"type":"`+v2+`","url":"HERE/v2"}`, "d", "set", "hi", "ttn",
			"POST /v2\n"+kind+`{"dev_id":"d","port":1,"confirmed":false,"payload_fields":{"command":"set","command_payload":"aGk="}}`)
	}
	v3 := `{"type":"ttnv3","url":"HERE/api/v3/as/applications/a/devices","headers":[{"name":"Authorization","value":"Bearer k"}]}`
	const to = "POST /api/v3/as/applications/a/devices/"
	const bearer = "Authorization: Bearer k\n" + kind
	f(v3, "eui-0004a30b001c0530", "port:255", "\x01", "ttn", to+"eui-0004a30b001c0530/down/replace\n"+bearer+`{"downlinks":[{"f_port":255,"frm_payload":"AQ=="}]}`)
	f(v3, "d", "port:0", "", "ttn", to+"d/down/replace\n"+bearer+`{"downlinks":[{"f_port":0,"frm_payload":""}]}`)
	// The payload is {"command":"set","command_payload":"aGk="}.
	f(v3, "d", "set", "hi", "ttn", to+"d/down/replace\n"+bearer+`{"downlinks":[{"f_port":1,"frm_payload":"eyJjb21tYW5kIjoic2V0IiwiY29tbWFuZF9wYXlsb2FkIjoiYUdrPSJ9"}]}`)
	f(`{"type":"ttnv3","url":"HERE/devices/?a=b"}`, "a/b ü?#%", "port:1", "x", "ttn",
		"POST /devices/a%2Fb%20%C3%BC%3F%23%25/down/replace?a=b\n"+kind+`{"downlinks":[{"f_port":1,"frm_payload":"eA=="}]}`)
}

// TestNoRequest has commands for which no request is made.
func TestNoRequest(t *testing.T) {
	server := record(t, false)
	client := newClient(t, nil, nil)
	f := func(g *registry.Device, device, name string, wantOK bool) {
		t.Helper()
		_, ok, err := send(client, g, forDevice(device, name, "x"))
		if ok != wantOK || ok != (outcome.Of(err) == outcome.Rejected) {
			t.Errorf("%s to %s: %v, %v", name, device, ok, err)
		}
		if strings.Contains(err2text(err), "hunter2") {
			t.Errorf("%s to %s: %v", name, device, err)
		}
		if _, n := server.last(); n > 0 {
			t.Errorf("%s to %s made a request", name, device)
		}
	}
	f(gateway("gw", ""), "d", "set", false)
	plain := gateway("gw", `{"url":"`+server.URL+`"}`)
	f(plain, "gw", "set", false) // what it names is for other devices
	v3 := gateway("gw", `{"type":"ttnv3","url":"`+server.URL+`"}`)
	for _, port := range []string{"port:", "port:256", "port:-1", "port:+1", "port:x", "port: 1"} {
		f(v3, "d", port, true)
	}
	f(v3, "..", "port:1", true)
	f(v3, ".", "port:1", true)
	f(gateway("gw", `{"type":"hunter2","url":"`+server.URL+`"}`), "d", "set", true)
	f(gateway("gw", `{"url":"ftp://hunter2"}`), "d", "set", true)
	f(gateway("gw", `{"url":7}`), "d", "set", true)
}

func err2text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestOwnGateway has a device that lists itself: its own endpoint counts for itself.
func TestOwnGateway(t *testing.T) {
	server := record(t, false)
	d := gateway("d", `{"url":"`+server.URL+`"}`)
	d.Spec[registry.SectionGatewaySelector] = json.RawMessage(`{"matchNames":["d"]}`)
	if _, ok, err := send(newClient(t, nil, nil), d, forDevice("d", "set", "x")); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if _, n := server.last(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestStatuses(t *testing.T) {
	server := record(t, false)
	client := newClient(t, nil, nil)
	g := gateway("gw", `{"url":"`+server.URL+`"}`)
	f := func(status int, want outcome.Outcome) {
		t.Helper()
		server.answer(status)
		_, ok, err := send(client, g, forDevice("d", "set", "x"))
		if !ok || (err != nil) != (want != outcome.Accepted) || err != nil && outcome.Of(err) != want {
			t.Errorf("%d: %v, %v", status, ok, err)
		}
	}
	f(http.StatusOK, outcome.Accepted)
	f(http.StatusAccepted, outcome.Accepted)
	f(http.StatusNoContent, outcome.Accepted)
	f(http.StatusFound, outcome.Rejected)
	f(http.StatusUnauthorized, outcome.Rejected)
	f(http.StatusNotFound, outcome.Rejected)
	f(http.StatusTooManyRequests, outcome.Rejected)
	f(http.StatusBadGateway, outcome.Rejected)
}

// TestDeadEndpoints have endpoints that cannot be reached, may not be reached, or never answer.
func TestDeadEndpoints(t *testing.T) {
	f := func(url string, allow []string) {
		t.Helper()
		client := newClient(t, nil, func(c *outbound.Config) { c.Allow, c.Timeout = allow, 200*time.Millisecond })
		_, ok, err := send(client, gateway("gw", `{"url":"`+url+`"}`), forDevice("d", "set", "x"))
		if !ok || outcome.Of(err) != outcome.Rejected || strings.Contains(err.Error(), url) {
			t.Errorf("%s: %v, %v", url, ok, err)
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	f("http://"+silent.Addr().String(), []string{"127.0.0.1"})
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	f("http://"+gone.Addr().String(), []string{"127.0.0.1"})
	private := record(t, false)
	f(private.URL, nil)
	if _, n := private.last(); n > 0 {
		t.Error("a private endpoint was reached")
	}
}

// fakeDownlinks have addresses by device.
type fakeDownlinks map[downlink.Device]downlink.Address

func (f fakeDownlinks) Find(_ context.Context, of downlink.Device) (downlink.Address, error) {
	if of.UID == "uid-lost" {
		return downlink.Address{}, errors.New("redis is away")
	}
	if a, ok := f[of]; ok {
		return a, nil
	}
	return downlink.Address{}, downlink.ErrNotFound
}

// TestStack sends downlinks to a fake Things Stack by the address that came with a webhook.
func TestStack(t *testing.T) {
	stack := record(t, true)
	address := downlink.Address{URL: stack.URL + "/api/v3/as/applications/a/webhooks/w/devices/eui-1/down/push", Key: "NNSXS.KEY"}
	client := newClient(t, fakeDownlinks{{Application: "uid-app", UID: "uid-d"}: address}, nil)

	protocol, ok, err := send(client, gateway("d", ""), forDevice("d", "port:15", "\x01\x02"))
	if err != nil || !ok || protocol != "ttn" {
		t.Fatalf("%q, %v, %v", protocol, ok, err)
	}
	want := "POST /api/v3/as/applications/a/webhooks/w/devices/eui-1/down/push\nAuthorization: Bearer NNSXS.KEY\nContent-Type: application/json\n\n" +
		`{"downlinks":[{"f_port":15,"frm_payload":"AQI="}]}`
	if text, _ := stack.last(); text != want {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}

	// Nobody else's commands go there.
	if _, ok, err := send(client, gateway("gw", ""), forDevice("d", "port:15", "x")); ok || err != nil {
		t.Errorf("through a gateway: %v, %v", ok, err)
	}
	other := application()
	other.Metadata.UID = "uid-app-2"
	if _, ok, err := client.Send(t.Context(), other, gateway("d", ""), forDevice("d", "port:15", "x")); ok || err != nil {
		t.Errorf("of another application: %v, %v", ok, err)
	}
	if _, n := stack.last(); n != 1 {
		t.Errorf("%d requests", n)
	}

	if _, ok, err := send(client, gateway("lost", ""), forDevice("lost", "port:15", "x")); !ok || outcome.Of(err) != outcome.Unavailable {
		t.Errorf("without Redis: %v, %v", ok, err)
	}
	guarded := newClient(t, fakeDownlinks{{Application: "uid-app", UID: "uid-d"}: address}, func(c *outbound.Config) { c.Allow = nil })
	if _, ok, err := send(guarded, gateway("d", ""), forDevice("d", "port:15", "x")); !ok || outcome.Of(err) != outcome.Rejected {
		t.Errorf("to a private address: %v, %v", ok, err)
	}
	if _, n := stack.last(); n != 1 {
		t.Errorf("a private address was reached")
	}
}

func FuzzBody(f *testing.F) {
	f.Add("d", "port:5", []byte("x"))
	f.Add("a/b", "set \u2028<&>", []byte{0, 255})
	f.Fuzz(func(t *testing.T, device, name string, payload []byte) {
		for _, kind := range []registry.CommandType{registry.PlainCommands, registry.TTNv2Commands, registry.TTNv3Commands} {
			c := forDevice(device, name, string(payload))
			body, err := bodyOf(kind, &c)
			if err == nil && (!json.Valid(body) || bytes.HasSuffix(body, []byte("\n"))) {
				t.Errorf("%q", body)
			}
		}
		u, err := replaceURL("https://stack.example/devices?a=b", device)
		if err == nil && (!strings.HasPrefix(u, "https://stack.example/devices/") || !strings.HasSuffix(u, "/down/replace?a=b") || strings.Count(u, "/") != 7-1) {
			t.Errorf("%q", u)
		}
	})
}
