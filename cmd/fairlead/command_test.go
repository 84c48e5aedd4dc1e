package main

import (
	"encoding/binary"
	"net/http"
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

// inquire sends a command and waits for the answer, in the background.
func inquire(s *shell) <-chan string {
	answers := make(chan string, 1)
	go func() {
		_, out, errors := s.run("", "command", "device1", "get", "--app", "example-app", "--timeout", "30s", "--wait", "30s")
		answers <- out + errors
	}()
	return answers
}

// TestCommandIsAnswered has devices answer over MQTT 3.1.1, which cannot say what they answer, and over HTTP.
func TestCommandIsAnswered(t *testing.T) {
	s := development(t)
	t.Run("mqtt", func(t *testing.T) {
		device, err := mqttclient.Dial(t.Context(), mqttclient.TCP(strings.TrimPrefix(s.note.MQTT, "mqtt://")), "", s.note.Example.Username, s.note.Example.Password)
		if err != nil {
			t.Fatal(err)
		}
		defer device.Close()
		if err := device.SubscribeTo("command/inbox/#", 0); err != nil {
			t.Fatal(err)
		}
		answers := inquire(s)
		if _, body, err := device.ReadPacket(); err != nil || !strings.Contains(string(body), "command/inbox//get") {
			t.Fatalf("the device got %q, %v", body, err)
		}
		answer, at := mqttclient.AppendPublish(nil, "command/response", []byte("21.5"))
		binary.BigEndian.PutUint16(answer[at:], 1)
		if _, err := device.Conn.Write(answer); err != nil {
			t.Fatal(err)
		}
		if got := <-answers; got != "21.5" {
			t.Errorf("the answer is %q", got)
		}
	})
	t.Run("http", func(t *testing.T) {
		post := func(path, body string) *http.Response {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(s.note.HTTP, "/")+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			request.SetBasicAuth(s.note.Example.Username, s.note.Example.Password)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			return response
		}
		answers := inquire(s)
		got := post("/v1/temp?ct=60", "x")
		if got.StatusCode != http.StatusOK || got.Header.Get("Command") != "get" {
			t.Fatalf("the device got %d, %v", got.StatusCode, got.Header)
		}
		if got := post("/v1/command/response?correlation="+got.Header.Get("Command-Correlation"), "22"); got.StatusCode != http.StatusAccepted {
			t.Errorf("the answer was answered %d", got.StatusCode)
		}
		if got := <-answers; got != "22" {
			t.Errorf("the answer is %q", got)
		}
	})
	s.fails("nobody took the command", "command", "device1", "get", "--app", "example-app", "--wait", "1s")
}
