//go:build integration

package e2e

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/neighbour"
)

// ask sends a command and waits for the device's answer, in the background.
func (c *commander) ask(a *tenant, device, name string) <-chan string {
	answers := make(chan string, 1)
	path := "/api/command/v1alpha1/apps/" + a.name + "/devices/" + device + "?timeout=30&wait=30&command=" + name
	r, err := http.NewRequestWithContext(bounded(c.t), http.MethodPost, c.URL()+path, strings.NewReader("now"))
	if err != nil {
		c.t.Fatal(err)
	}
	r.SetBasicAuth("alice", c.secret)
	r.Header.Set("Content-Type", "text/plain")
	go func() {
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			answers <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		answers <- response.Status + " " + string(text)
	}()
	return answers
}

// expectAnswer looks at what came back, and at the event that the answer is.
func expectAnswer(t *testing.T, a *tenant, answers <-chan string, want string) {
	t.Helper()
	if got := <-answers; got != "200 OK "+want {
		t.Errorf("the answer is %q", got)
	}
	records := a.records()
	if last := records[len(records)-1]; last.payload != want {
		t.Errorf("the last event is %q", last.payload)
	}
}

// TestCommandsOverHTTP has curl wait for commands, and answer them.
func TestCommandsOverHTTP(t *testing.T) {
	c := startCommand(t)
	a := newTenant(t)
	a.device("d", password("p"))
	a.device("sensor", `{"gatewaySelector":{"matchNames":["d"]}}`)
	f := func(device, as, value string) {
		t.Helper()
		poll := startWaiting(t, here.telemetry.URL()+"/v1/x?ct=60"+as, "d@"+a.name+":p")
		answers := c.ask(a, device, "get")
		got := poll.answer()
		if got.status != http.StatusOK || got.body != "now" || got.header.Get("Command") != "get" || got.header.Get("Content-Type") != "text/plain" {
			t.Fatalf("curl got %+v", got)
		}
		answer := post(t, here.telemetry.URL()+"/v1/command/response?correlation="+got.header.Get("Command-Correlation")+as, "d@"+a.name+":p", value)
		accepted(t, "the answer", answer)
		expectAnswer(t, a, answers, value)
	}
	f("d", "", "21.5")
	f("sensor", "&as=sensor", "22")
}

// TestCommandsOverMQTT5 has mosquitto's clients get a command with everything that goes with it, and answer it by what they were given.
func TestCommandsOverMQTT5(t *testing.T) {
	g := ownMQTT(t)
	c := startCommand(t)
	a := newTenant(t)
	a.device("device", password("p"))
	host, port, err := net.SplitHostPort(g.tcp)
	if err != nil {
		t.Fatal(err)
	}
	login := []string{"-V", "5", "-h", host, "-p", port, "-u", "device@" + a.name, "-P", "p"}
	answers := c.ask(a, "device", "get")
	// One message ends it.
	output, err := exec.CommandContext(bounded(t), "mosquitto_sub", append(login, "-C", "1", "-t", "command/inbox/#", "-F", "%t %C %R %D %p")...).CombinedOutput()
	fields := strings.Fields(string(output))
	if err != nil || len(fields) != 5 || fields[0] != "command/inbox//get" || fields[1] != "text/plain" || fields[4] != "now" {
		t.Fatalf("mosquitto_sub: %v, %s", err, output)
	}
	publish := append(login, "-q", "1", "-t", fields[2], "-D", "publish", "correlation-data", fields[3], "-m", "21.5")
	if output, err := exec.CommandContext(bounded(t), "mosquitto_pub", publish...).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_pub: %v, %s", err, output)
	}
	if got := <-answers; got != "200 OK 21.5" {
		t.Errorf("the answer is %q", got)
	}
	neighbour.Eventually(t, "the answer to be an event", func() bool {
		for _, r := range a.records() {
			if r.payload == "21.5" {
				return true
			}
		}
		return false
	})
}
