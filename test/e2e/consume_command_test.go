//go:build integration

package e2e

import (
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// TestConsumersAskDevices has mosquitto_rr, in a user's name, ask a device over the gateway for consumers, and print its answer.
func TestConsumersAskDevices(t *testing.T) {
	a, user := newTenant(t), consumer(t, "asking")
	a.own(user)
	a.device("d", password("p"))
	f := startCommand(t, "FAIRLEAD_COMMAND_OPEN_EVENTS=true")
	g := ownIntegration(t, "FAIRLEAD_INTEGRATION_COMMAND_URL="+f.URL())
	host, port, err := net.SplitHostPort(g.mqtt)
	if err != nil {
		t.Fatal(err)
	}
	device := a.poll("d")
	answer := inBackground(exec.CommandContext(bounded(t), "mosquitto_rr", "-V", "5", "-h", host, "-p", port, "-u", user.name, "-P", user.secret,
		"-q", "1", "-t", "command/"+a.name+"/d/get", "-e", "response/mine", "-m", "now",
		"-D", "publish", "correlation-data", "own", "-D", "publish", "content-type", "text/plain", "-F", "%t %D %C %p"))
	question := device.answer()
	if question.status != http.StatusOK || question.header.Get("Command") != "get" || question.body != "now" {
		t.Fatalf("the device is asked with %+v", question)
	}
	response := here.telemetry.URL() + "/v1/command/response?correlation=" + question.header.Get("Command-Correlation")
	accepted(t, "the answer", post(t, response, "d@"+a.name+":p", "21.5", mediaType("text/plain")...))
	if output, err := answer(); err != nil || strings.TrimSpace(string(output)) != "response/mine own text/plain 21.5" {
		t.Errorf("mosquitto_rr: %v, %s", err, output)
	}
}
