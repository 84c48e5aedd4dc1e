//go:build integration

package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is a body that The Things Stack sent.
func sample(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "functions", "ttn", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// endDevice is the name of the device of a sample.
func endDevice(t *testing.T, body string) string {
	t.Helper()
	var up struct {
		IDs struct {
			Device string `json:"device_id"`
		} `json:"end_device_ids"`
		Device string `json:"dev_id"`
	}
	if err := json.Unmarshal([]byte(body), &up); err != nil {
		t.Fatal(err)
	}
	return up.IDs.Device + up.Device
}

// network makes an application with the network's gateway and the device of a sample, with more in its specification.
func network(t *testing.T, body, more string) *tenant {
	t.Helper()
	a := newTenant(t)
	a.device("ttn-gateway", password("lora"))
	a.device(endDevice(t, body), `{"gatewaySelector":{"matchNames":["ttn-gateway"]}`+more+`}`)
	return a
}

func TestUplinkFromTheThingsNetwork(t *testing.T) {
	body := sample(t, "v3-uplink_message-drogue-2.json")
	device := endDevice(t, body)
	f := func(more, wantType, wantValue string) {
		t.Helper()
		a := network(t, body, more)
		accepted(t, more, post(t, here.ttn.URL()+"/ttn/v3", "ttn-gateway@"+a.name+":lora", body, mediaType(jsonContent)...))
		r := a.only()
		for name, want := range map[string]string{
			"ce_type": "io.drogue.event.v1", "ce_subject": "1", "ce_lorawanport": "1",
			"ce_application": a.name, "ce_device": device, "ce_sender": "ttn-gateway", "content-type": wantType,
		} {
			if r.headers[name] != want {
				t.Errorf("%s: %s %q, want %q", more, name, r.headers[name], want)
			}
		}
		if wantValue != "" {
			if r.payload != wantValue {
				t.Errorf("%s: %q, want %q", more, r.payload, wantValue)
			}
			return
		}
		var got, want any
		if err := json.Unmarshal([]byte(r.payload), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(body), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the webhook's body (-want +got):\n%s", more, diff)
		}
	}
	f("", "application/json", "")
	f(`,"ttn":{"payload":"raw"}`, "application/octet-stream", "Ping")
}

func TestEveryMessageOfTheThingsNetwork(t *testing.T) {
	f := func(path, name, wantType, wantSubject string) {
		t.Helper()
		body := sample(t, name)
		a := network(t, body, "")
		accepted(t, name, post(t, here.ttn.URL()+path, "ttn-gateway@"+a.name+":lora", body, mediaType(jsonContent)...))
		if r := a.only(); r.headers["ce_type"] != wantType || r.headers["ce_subject"] != wantSubject {
			t.Errorf("%s: type %s, subject %s", name, r.headers["ce_type"], r.headers["ce_subject"])
		}
	}
	const said, about = "io.drogue.event.v1", "io.drogue.lorawan.v1"
	f("/ttn/v2", "v2-uplink-drogue-1.json", said, "1")
	f("/ttn/", "v2-uplink-drogue-1.json", said, "1")
	f("/ttn/v3", "v3-uplink_message-stack-formatter-1.json", said, "42")
	f("/ttn/v3", "v3-join_accept-stack-formatter-2.json", about, "join")
	f("/ttn/v3", "v3-downlink_ack-stack-made.json", about, "downlink/ack")
	f("/ttn/v3", "v3-downlink_failed-stack-made.json", about, "downlink/failed")
}

func TestRefusalsOfTheThingsNetwork(t *testing.T) {
	body := sample(t, "v3-uplink_message-drogue-2.json")
	a := network(t, body, "")
	a.device("other-gateway", password("lora"))
	url, login := here.ttn.URL()+"/ttn/v3", "ttn-gateway@"+a.name+":lora"

	refused(t, "wrong password", post(t, url, "ttn-gateway@"+a.name+":wrong", body))
	refused(t, "gateway without permission", post(t, url, "other-gateway@"+a.name+":lora", body))
	refused(t, "unknown device", post(t, url, login, strings.ReplaceAll(body, `"device_id": "`, `"device_id": "x`)))

	f := func(body, wantName string) {
		t.Helper()
		got := post(t, url, login, body)
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, `"error":"`+wantName+`"`) {
			t.Errorf("%.30q: %d %s, want 400 with %s", body, got.status, got.body, wantName)
		}
	}
	f(`{"end_device_ids"`, "InvalidFormat")
	f(`{"end_device_ids":{}}`, "InvalidFormat")
	f(`{"end_device_ids":{"device_id":"x"}}`, "InvalidRequest")
	f(sample(t, "chirpstack4-uplink-hono-1.json"), "InvalidFormat")
	if got := post(t, url, login, strings.Repeat(" ", 4*maxBody+1)); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d %s", got.status, got.body)
	}
	a.empty()
}
