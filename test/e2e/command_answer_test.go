//go:build integration

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
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
	isAnswer := func(r record) bool {
		return r.payload == want && r.headers["ce_subject"] == "command/response" && r.headers["ce_correlationid"] != ""
	}
	if !slices.ContainsFunc(a.records(), isAnswer) {
		t.Errorf("the answer %q is no event", want)
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

// TestCommandsOverCoAP has libcoap's clients wait for commands and observe them, for themselves and for another device, and answer.
func TestCommandsOverCoAP(t *testing.T) {
	s := startCoAP(t)
	c := startCommand(t)
	a := newTenant(t)
	coapLibraries(t, func(t *testing.T, library string) {
		// Each device listens in one way: a client that was ended goes on listening for a while.
		poller, observer, sensor := "poller-"+library, "observer-"+library, "sensor-"+library
		a.device(poller, keyed("p", "key"))
		a.device(observer, keyed("p", "key"))
		a.device(sensor, fmt.Sprintf(`{"gatewaySelector":{"matchNames":[%q,%q]}}`, poller, observer))
		f := func(by, device, as, value string, listen func(*testing.T, *coapSite, string, []string, string) <-chan string) {
			t.Helper()
			login := []string{"-u", by + "@" + a.name, "-k", "key"}
			questions := listen(t, s, library, login, as)
			answers := c.ask(a, device, "get")
			response := s.secure("/v1/command/response?correlation=" + correlationOf(t, <-questions) + as)
			coapClient(t, library, append(login, "-m", "post", "-e", value, response)...).expect(t, "the answer", "2.04")
			expectAnswer(t, a, answers, value)
		}
		f(poller, poller, "", library+" 1", pollOverCoAP)
		f(poller, sensor, "&as="+sensor, library+" 2", pollOverCoAP)
		f(observer, observer, "", library+" 3", observeOverCoAP)
		f(observer, sensor, "&as="+sensor, library+" 4", observeOverCoAP)
	})
}

// pollOverCoAP waits for a command with a message, and gives the options that came with it.
func pollOverCoAP(t *testing.T, s *coapSite, library string, login []string, query string) <-chan string {
	questions := make(chan string, 1)
	go func() {
		got := coapClient(t, library, append(login, "-m", "post", "-e", "x", "-B", "55", s.secure("/v1/x?ct=60"+query))...)
		if got.body != "now" {
			t.Errorf("the command is %q", got.body)
		}
		questions <- got.options
	}()
	return questions
}

// observeOverCoAP observes commands until the test ends, and gives the options that came with the first.
func observeOverCoAP(t *testing.T, s *coapSite, library string, login []string, query string) <-chan string {
	questions := make(chan string, 1)
	follow(t, func(line string) {
		if found := answerLine.FindStringSubmatch(line); found != nil && strings.Contains(found[2], "4214:") {
			select {
			case questions <- found[2]:
			default: // it was sent again
			}
		}
	}, "coap-client-"+library, append(login, "-v", "6", "-m", "get", "-s", "3600", s.secure("/v1/commands?ct=0"+query))...)
	return questions
}

// correlationOption is how libcoap's clients show option 4214: one has it as text, the other byte by byte.
var correlationOption = regexp.MustCompile(`4214:((?:\\x[0-9A-Fa-f]{2}|[^,\\ ])+)`)

// correlationOf reads the correlation of a command from the options of a response.
func correlationOf(t *testing.T, options string) string {
	t.Helper()
	found := correlationOption.FindStringSubmatch(options)
	if found == nil {
		t.Fatalf("no correlation in %s", options)
	}
	text, err := strconv.Unquote(`"` + found[1] + `"`)
	if err != nil {
		t.Fatalf("the correlation %s: %v", found[1], err)
	}
	return text
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
