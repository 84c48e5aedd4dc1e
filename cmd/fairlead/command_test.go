package main

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/mqttclient"
)

func TestCommand(t *testing.T) {
	s := development(t)
	s.do("context", "set-app", "example-app")
	s.fails("nobody took the command", "command", "device1", "on")
	s.fails("there is no such device", "command", "nothing", "on")
	s.fails("Application / nothing", "command", "device1", "on", "--app", "nothing")
	s.fails("wildcard", "command", "device1", "#")
	s.fails("timeout", "command", "device1", "on", "--timeout", "61s")
	s.fails("larger", "command", "device1", "on", "--data", strings.Repeat("x", 64<<10+1))
	s.fails("media type", "command", "device1", "on", "--content-type", "x")
	status, out, _ := s.run("", "command", "device1", "on", "--output", "json")
	if status != 1 || !strings.Contains(out, `"unheard"`) {
		t.Errorf("status %d, %s", status, out)
	}
}

// TestCommandArrives has a command wait for the device, and brings it there from standard input.
func TestCommandArrives(t *testing.T) {
	s := development(t)
	type answer struct {
		status      int
		out, errors string
	}
	answers := make(chan answer)
	go func() {
		status, out, errors := s.run("now", "command", "device1", "on", "--app", "example-app", "--data", "-", "--content-type", "text/plain", "--timeout", "60s", "--output", "plain")
		answers <- answer{status, out, errors}
	}()
	device, err := mqttclient.Dial(t.Context(), mqttclient.TCP(strings.TrimPrefix(s.note.MQTT, "mqtt://")), "", s.note.Example.Username, s.note.Example.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if err := device.SubscribeTo("command/inbox/#", 0); err != nil {
		t.Fatal(err)
	}
	if _, body, err := device.ReadPacket(); err != nil || !strings.Contains(string(body), "command/inbox//onnow") {
		t.Errorf("the device got %q, %v", body, err)
	}
	if got := <-answers; got.status != 0 || got.out != "device1\tmqtt\treached\t1\n" {
		t.Errorf("%+v", got)
	}
}
