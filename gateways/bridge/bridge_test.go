package bridge

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
)

func TestConnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := testConfig()
		c.Broker.Username, c.Broker.Password = "me", "secret"
		f := newFixture(t, c)
		f.start()
		l := f.broker.accept()
		got := l.connect
		if got.ClientID != "fairlead-bridge" || got.CleanStart || got.KeepAlive != 30 || got.Username != "me" || string(got.Password) != "secret" || got.ProtocolVersion != 5 {
			t.Errorf("connected with %v", got)
		}
		p := got.Properties
		if *p.SessionExpiryInterval != 86400 || *p.ReceiveMaximum != 256 || *p.MaximumPacketSize != 256<<10 {
			t.Errorf("connected with properties %v", p)
		}
		want := []packets.SubOptions{
			{Topic: "site/+/+/#", QoS: 1, RetainHandling: 2},
			{Topic: "own/+", QoS: 1, RetainHandling: 2},
		}
		if diff := cmp.Diff(want, l.welcome(false).Subscriptions); diff != "" {
			t.Errorf("subscribed (-want +got):\n%s", diff)
		}
	})
}

func TestConnectAsAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := testConfig()
		c.Broker.ClientID, c.Broker.CleanStart, c.Broker.SessionExpiry = "bridge-7", true, 0
		c.SharedGroup, c.Retained, c.InFlight, c.MaxPacket = "bridges", true, 10, 4096
		f := newFixture(t, c)
		f.start()
		l := f.broker.accept()
		p := l.connect.Properties
		if !l.connect.CleanStart || l.connect.ClientID != "bridge-7" || l.connect.UsernameFlag || p.SessionExpiryInterval != nil || *p.ReceiveMaximum != 10 || *p.MaximumPacketSize != 4096 {
			t.Errorf("connected with %v", l.connect)
		}
		want := []packets.SubOptions{
			{Topic: "$share/bridges/site/+/+/#", QoS: 1, RetainHandling: 1},
			{Topic: "$share/bridges/own/+", QoS: 1, RetainHandling: 1},
		}
		if diff := cmp.Diff(want, l.welcome(false).Subscriptions); diff != "" {
			t.Errorf("subscribed (-want +got):\n%s", diff)
		}
		l.cut()
		if f.broker.accept().connect.CleanStart {
			t.Error("what the broker kept during a short interruption is thrown away")
		}
	})
}

func TestMessageBecomesAnEvent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		began := time.Now()
		p := publication(1, "site/pump-1/motor/temp", `{"t": 21}`)
		p.Properties = &packets.Properties{ContentType: "application/json", User: []packets.User{{Key: "unit", Value: "celsius"}, {Key: "sender", Value: "x"}, {Key: "hwaddr", Value: "x"}, {Key: "fairleadhops", Value: "9"}, {Key: "knativeerrorcode", Value: "x"}}}
		l.send(p)
		l.acknowledged(1)
		l.publish(2, "own/status", "fine")
		l.publish(3, "site/site/status", "fine, too")
		l.acknowledged(2, 3)
		f.stored(`{"t":21}`, "fine", "fine, too")
		for i, want := range []map[string]string{
			{"ce_device": "pump-1", "ce_deviceuid": "uid-pump-1", "ce_sender": "site", "ce_subject": "motor/temp", "content-type": "application/json", "ce_unit": "celsius"},
			{"ce_device": "site", "ce_deviceuid": "s", "ce_sender": "site", "ce_subject": "status", "content-type": "application/octet-stream"},
			{"ce_device": "site", "ce_deviceuid": "s", "ce_sender": "site", "ce_subject": "status"},
		} {
			got := headers(f.writer.records[i])
			for name, value := range want {
				if got[name] != value {
					t.Errorf("record %d: %s = %q, want %q", i, name, got[name], value)
				}
			}
			if at, err := time.Parse(time.RFC3339Nano, got["ce_time"]); err != nil || at.Before(began) || at.Sub(began) > time.Second {
				t.Errorf("record %d: time %q", i, got["ce_time"])
			}
		}
		for _, name := range []string{"ce_hwaddr", "ce_fairleadhops", "ce_knativeerrorcode"} {
			if value, ok := headers(f.writer.records[0])[name]; ok {
				t.Errorf("a user property has set %s to %q", name, value)
			}
		}
		if topic := f.writer.records[0].Topic; topic != "events-plant" {
			t.Errorf("topic %q", topic)
		}
	})
}

func TestAcknowledgedOnceStored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		f.writer.hold()
		l.publish(1, "site/a/x", "1")
		f.stored("1")
		settled()
		l.silent()
		f.writer.release()
		l.acknowledged(1)
	})
}

func TestAcknowledgedInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		f.writer.fail(outcome.New(outcome.Unavailable, ""), "1")
		l.publish(1, "site/a/x", "1")
		l.publish(2, "site/b/x", "2")
		l.publish(3, "nowhere", "3")
		settled()
		f.stored("2")
		l.silent()
		f.writer.fail(nil)
		l.acknowledged(1, 2, 3)
		f.stored("2", "1")
	})
}

// TestOutage has a device's messages stored in the order in which they came, although each fails many times, and the
// messages of others meanwhile.
func TestOutage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		f.writer.fail(outcome.New(outcome.Unavailable, ""), "1", "2", "4")
		l.publish(1, "site/a/x", "1")
		l.publish(2, "site/a/y", "2")
		l.publish(3, "site/a/x", "3")
		l.publish(4, "site/b/x", "4")
		l.publish(5, "site/c/x", "5")
		settled()
		f.stored("5")
		f.writer.fail(outcome.New(outcome.Overloaded, ""), "2")
		settled()
		f.writer.fail(nil)
		l.acknowledged(1, 2, 3, 4, 5)
		f.storedByDevice(map[string][]string{"a": {"1", "2", "3"}, "b": {"4"}, "c": {"5"}})
	})
}

func TestSettledOutcomes(t *testing.T) {
	f := func(topic, payload, contentType string) {
		t.Helper()
		bubble(t, func(t *testing.T) {
			f := newFixture(t, testConfig())
			l := f.connected()
			p := publication(1, topic, payload)
			p.Properties.ContentType = contentType
			l.send(p)
			l.publish(2, "site/a/x", "2")
			l.acknowledged(1, 2)
			f.stored("2")
		})
	}
	f("elsewhere", "1", "")
	f("site/a", "1", "")
	f("site//x", "1", "")
	f("site/"+strings.Repeat("x", 256)+"/x", "1", "")
	f("site/a/", "1", "")
	f("site/a/"+strings.Repeat("x", 2000), "1", "")
	f("site/stranger/x", "1", "")
	f("site/a/x", "{", "application/json")
	f("site/a/x", "1", "text/\x01")
	f("site/a/x", `{"specversion":"1.0","id":"1","source":"x","type":"x"}`, "application/cloudevents+json; charset=utf-8")
	f("site/a/x", "1", "Application/CloudEvents-Batch")
	f("site/a/x", "1", "text plain")
	f("site/a/x", "{", "Application/JSON")
	f("site/a/x ", "1", "")
	f("site/a/x", strings.Repeat("x", ingest.DefaultConfig().MaxBody+1), "")
}

func TestUnsettledOutcomes(t *testing.T) {
	f := func(fail func(*fixture, error), err error) {
		t.Helper()
		bubble(t, func(t *testing.T) {
			f := newFixture(t, testConfig())
			l := f.connected()
			fail(f, err)
			l.publish(1, "site/a/x", "1")
			settled()
			l.silent()
			f.stored()
			fail(f, nil)
			l.acknowledged(1)
			f.stored("1")
		})
	}
	storing := func(f *fixture, err error) { f.writer.fail(err) }
	speaking := func(f *fixture, err error) { f.door.set(nil, err) }
	for _, fail := range []func(*fixture, error){storing, speaking} {
		f(fail, outcome.New(outcome.Unavailable, ""))
		f(fail, outcome.New(outcome.Overloaded, ""))
		f(fail, outcome.New(outcome.Unauthenticated, ""))
		f(fail, outcome.New(outcome.Internal, ""))
		f(fail, errUnreachable)
	}
}

func TestAttemptsMakeTheSameEvent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		f.writer.fail(outcome.New(outcome.Unavailable, ""))
		l.publish(1, "site/a/x", "1")
		settled()
		f.writer.fail(nil)
		l.acknowledged(1)
		if len(f.writer.tried) < 3 {
			t.Fatalf("%d attempts", len(f.writer.tried))
		}
		first := headers(f.writer.tried[0])
		for _, r := range f.writer.tried {
			if got := headers(r); got["ce_id"] != first["ce_id"] || got["ce_time"] != first["ce_time"] || got["ce_id"] == "" {
				t.Errorf("an attempt has id %q and time %q, the first %q and %q", got["ce_id"], got["ce_time"], first["ce_id"], first["ce_time"])
			}
		}
	})
}

func TestStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		f.writer.hold()
		f.writer.fail(outcome.New(outcome.Unavailable, ""), "3")
		l.publish(1, "site/a/x", "1")
		l.publish(2, "site/b/x", "2")
		l.publish(3, "site/c/x", "3")
		l.publish(4, "site/c/x", "4")
		l.publish(5, "site/d/x", "5")
		synctest.Wait()
		f.stop()
		synctest.Wait()
		l.publish(6, "site/e/x", "6")
		synctest.Wait()
		l.silent()
		f.writer.release()
		l.acknowledged(1, 2)
		d := expect[*packets.Disconnect](l)
		if d.ReasonCode != 0 || d.Properties != nil && d.Properties.SessionExpiryInterval != nil {
			t.Errorf("disconnected with %v", d)
		}
		f.finish()
		f.storedByDevice(map[string][]string{"a": {"1"}, "b": {"2"}, "d": {"5"}})
	})
}

// TestStopIsBounded stops while Kafka does not answer.
func TestStopIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		f.writer.hold()
		l.publish(1, "site/a/x", "1")
		synctest.Wait()
		began := time.Now()
		f.finish()
		if took := time.Since(began); took < f.bridge.config.DrainTimeout || took > f.bridge.config.DrainTimeout+time.Second {
			t.Errorf("stopped after %v", took)
		}
		if d := expect[*packets.Disconnect](l); d.ReasonCode != 0 {
			t.Errorf("disconnected with %v", d)
		}
		f.writer.release()
	})
}

func TestStopWithoutABroker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		f.start()
		time.Sleep(time.Hour)
		began := time.Now()
		f.finish()
		if took := time.Since(began); took > time.Second {
			t.Errorf("stopped after %v", took)
		}
	})
}

// TestMany has more messages come than may be in flight.
func TestMany(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := testConfig()
		c.InFlight = 16
		f := newFixture(t, c)
		l := f.connected()
		const messages, devices = 1000, 7
		inFlight, next := 0, 1
		for acknowledged := 0; acknowledged < messages; {
			for ; inFlight < c.InFlight && next <= messages; next++ {
				l.publish(uint16(next), "site/device-"+strconv.Itoa(next%devices)+"/x", strconv.Itoa(next))
				inFlight++
			}
			acknowledged++
			l.acknowledged(uint16(acknowledged))
			inFlight--
		}
		last := map[string]int{}
		for _, r := range f.writer.records {
			number, err := strconv.Atoi(string(r.Value))
			device := headers(r)["ce_device"]
			if err != nil || number <= last[device] {
				t.Fatalf("%s of %s comes after %d", r.Value, device, last[device])
			}
			last[device] = number
		}
		if len(f.writer.records) != messages {
			t.Errorf("stored %d", len(f.writer.records))
		}
	})
}
