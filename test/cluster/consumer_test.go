//go:build cluster

package cluster

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/mqttclient"
	"github.com/fairlead/fairlead/test/numbered"
)

// A consumer reads an application's numbered messages at the integration gateway, over MQTT with QoS 1. When it is cut off it connects
// again and goes on, as the group that its identifier is.
type consumer struct {
	stop    context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	seen     map[numbered.Message]int // how often each came
	sessions int
}

// startConsumer gives a consumer that is there.
func startConsumer(t testing.TB, a *tenant) *consumer {
	t.Helper()
	token := accessToken(t, a)
	ctx, stop := context.WithCancel(context.Background())
	c := &consumer{stop: stop, seen: map[numbered.Message]int{}}
	c.running.Go(func() {
		for ctx.Err() == nil {
			if err := c.read(ctx, a, token); err != nil && ctx.Err() == nil {
				pause(ctx, 200*time.Millisecond)
			}
		}
	})
	t.Cleanup(c.end)
	eventually(t, "a session of the consumer", "kubectl -n fairlead logs deployment/fairlead-gateway-integration", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.sessions > 0
	})
	return c
}

func (c *consumer) end() {
	c.stop()
	c.running.Wait()
}

// read is one session.
func (c *consumer) read(ctx context.Context, a *tenant, token string) error {
	const user = "system:serviceaccount:" + namespace + ":fairlead-admin"
	client, err := mqttclient.Dial(ctx, mqttclient.TCP("fairlead-integration."+namespace+".svc.cluster.local:1883"), "cluster-test", user, token)
	if err != nil {
		return err
	}
	defer client.Close()
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	if err := client.SubscribeTo("app/"+a.name+"/numbered", 1); err != nil {
		return err
	}
	c.mu.Lock()
	c.sessions++
	c.mu.Unlock()
	for {
		if err := client.SetDeadline(time.Now().Add(longestWait)); err != nil {
			return err
		}
		kind, body, err := client.ReadPacket()
		if err != nil {
			return err
		}
		if kind != mqttclient.Publish {
			continue
		}
		if err := c.take(client, body); err != nil {
			return err
		}
	}
}

// take notes a message, and acknowledges it then.
func (c *consumer) take(client *mqttclient.Client, body []byte) error {
	const length = 2 // of the topic's length, and of an identifier
	topic := int(binary.BigEndian.Uint16(body))
	id, payload := body[length+topic:][:length], body[length+topic+length:]
	var e struct{ Data json.RawMessage }
	if err := json.Unmarshal(payload, &e); err != nil {
		return fmt.Errorf("reading the event %s: %w", payload, err)
	}
	m, err := numbered.ParseMessage(e.Data)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.seen[m]++
	c.mu.Unlock()
	_, err = client.Write(append([]byte{mqttclient.Puback, length}, id...))
	return err
}

// verify waits until everything that fleets were acknowledged has come.
func (c *consumer) verify(t testing.TB, fleets ...*fleet) {
	t.Helper()
	eventually(t, "the consumer to have everything that was acknowledged", "kubectl -n fairlead logs deployment/fairlead-gateway-integration", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, f := range fleets {
			if f.lost(c.seen) > 0 {
				return false
			}
		}
		return true
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	twice := 0
	for _, n := range c.seen {
		twice += n - 1
	}
	t.Logf("the consumer has all of %d messages, in %d sessions; %d came again", len(c.seen), c.sessions, twice)
}
