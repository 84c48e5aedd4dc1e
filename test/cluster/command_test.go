//go:build cluster

package cluster

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/mqttclient"
)

// restartCommand sends one command after the other while functions/command gets a new revision. What was taken, the device has.
func (w *world) restartCommand(t *testing.T) {
	const some = 20
	device := listen(t, w.tenant, "heeding")
	c := startCommander(t, w.tenant, "heeding")
	c.more(t, some)
	restartFunction(t, "fairlead-command")
	c.more(t, some)
	c.end()
	eventually(t, "the device to have every command", "the logs of fairlead-command and of the gateway", func() bool { return device.has(c.sent) })
	t.Logf("%d commands were taken and are there, %d attempts were made again", c.sent, c.again)
}

// A listener is a device that notes the commands that come to it, which have numbers for names.
type listener struct {
	mu   sync.Mutex
	came map[string]bool
}

func listen(t *testing.T, a *tenant, device string) *listener {
	t.Helper()
	a.device(t, device, credentials)
	client := dial(t, a, device)
	if err := client.SubscribeTo("command/inbox/#", 0); err != nil {
		t.Fatal(err)
	}
	if err := client.SetDeadline(time.Now().Add(2 * longestWait)); err != nil {
		t.Fatal(err)
	}
	l := &listener{came: map[string]bool{}}
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			kind, body, err := client.ReadPacket()
			if err != nil {
				return
			}
			if kind == mqttclient.Publish {
				l.take(body)
			}
		}
	})
	t.Cleanup(func() {
		_ = client.Close()
		reading.Wait()
	})
	return l
}

// take notes the last level of a message's topic.
func (l *listener) take(body []byte) {
	const length = 2
	topic := string(body[length:][:binary.BigEndian.Uint16(body)])
	l.mu.Lock()
	defer l.mu.Unlock()
	l.came[topic[strings.LastIndexByte(topic, '/')+1:]] = true
}

// has tells whether all commands below a number have come.
func (l *listener) has(count int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range count {
		if !l.came[strconv.Itoa(n)] {
			return false
		}
	}
	return true
}

// A commander sends commands to a device, one after the other. Their names are numbers.
type commander struct {
	url     string
	admin   login
	stop    context.CancelFunc
	running sync.WaitGroup

	mu          sync.Mutex
	sent, again int
	problem     error
}

func startCommander(t testing.TB, a *tenant, device string) *commander {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	c := &commander{
		url:   address(t, "fairlead-command") + "/api/command/v1alpha1/apps/" + a.name + "/devices/" + device + "?timeout=10&command=",
		admin: a.admin, stop: stop,
	}
	c.running.Go(func() {
		for n := 0; ctx.Err() == nil && c.command(n); n++ {
		}
	})
	t.Cleanup(c.end)
	return c
}

func (c *commander) end() {
	c.stop()
	c.running.Wait()
}

func (c *commander) command(n int) bool {
	again, err := insist(func() (bool, error) {
		status, answer, err := send(http.MethodPost, c.url+strconv.Itoa(n), c.admin, textContent, "on")
		if status/100 == 4 {
			return false, fmt.Errorf("command %d: %d %s", n, status, answer)
		}
		return err == nil && status == http.StatusAccepted, nil
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.again += again
	if err != nil {
		c.problem = err
		return false
	}
	c.sent = n + 1
	return true
}

// more waits until some more were taken.
func (c *commander) more(t testing.TB, count int) {
	t.Helper()
	sent := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.problem != nil {
			t.Fatal(c.problem)
		}
		return c.sent
	}
	target := sent() + count
	eventually(t, "commands to be taken", "the logs of fairlead-command", func() bool { return sent() >= target })
}
