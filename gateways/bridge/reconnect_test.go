package bridge

import (
	"context"
	"io"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/fairlead/fairlead/internal/outcome"
)

// reconnected breaks a connection and waits for the next one.
func (f *fixture) reconnected(l *link, sessionPresent bool) *link {
	f.t.Helper()
	l.cut()
	next := f.broker.accept()
	next.welcome(sessionPresent)
	return next
}

// TestRedelivery has the broker send again what it has no acknowledgement of, in all the states that a message can be in.
func TestRedelivery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		f.writer.fail(outcome.New(outcome.Unavailable, ""), "1", "4")
		l.publish(1, "site/a/x", "1") // is tried again and again
		l.publish(2, "site/b/x", "2") // stored, and behind 1
		l.publish(3, "nowhere", "3")  // refused, and behind 1
		l.publish(4, "site/a/x", "4") // waits for 1
		f.stored("2")
		l = f.reconnected(l, true)
		l.again(1, "site/a/x", "1")
		l.again(2, "site/b/x", "2")
		l.again(3, "nowhere", "3")
		l.again(4, "site/a/x", "4")
		l.publish(5, "site/a/x", "5")
		settled()
		l.silent()
		f.writer.fail(nil)
		l.acknowledged(1, 2, 3, 4, 5)
		f.stored("2", "1", "4", "5")
	})
}

// TestStoredBetweenConnections has a message stored while there is no connection.
func TestStoredBetweenConnections(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		f.writer.hold()
		l.publish(1, "site/a/x", "1")
		f.stored("1")
		l.cut()
		synctest.Wait()
		f.writer.release()
		synctest.Wait()
		l = f.broker.accept()
		l.send(&packets.Connack{SessionPresent: true, Properties: &packets.Properties{}})
		l.again(1, "site/a/x", "1")
		l.grant()
		l.acknowledged(1)
		f.stored("1")
	})
}

// TestRedeliveryAfterSeveralConnections loses connections before the broker could send anything on them.
func TestRedeliveryAfterSeveralConnections(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		f.writer.hold()
		l.publish(1, "site/a/x", "1")
		f.stored("1")
		for range 3 {
			l = f.reconnected(l, true)
		}
		l.again(1, "site/a/x", "1")
		f.writer.release()
		l.acknowledged(1)
		f.stored("1")
	})
}

// TestNotARedelivery has messages come that only look like known ones. They must not be mistaken for them, since they
// would be lost.
func TestNotARedelivery(t *testing.T) {
	f := func(sessionPresent bool, send func(*link)) {
		t.Helper()
		bubble(t, func(t *testing.T) {
			f := newFixture(t, testConfig())
			l := f.connected()
			f.writer.hold()
			l.publish(1, "site/a/x", "1")
			f.stored("1")
			l = f.reconnected(l, sessionPresent)
			send(l)
			f.writer.release()
			l.acknowledged(1)
			synctest.Wait()
			if got := f.writer.values(); len(got) != 2 || got[0] != "1" {
				t.Errorf("stored %q", got)
			}
		})
	}
	f(false, func(l *link) { l.again(1, "site/a/x", "1") })
	f(true, func(l *link) { l.publish(1, "site/a/x", "1") })
	f(true, func(l *link) { l.again(1, "site/a/x", "2") })
	f(true, func(l *link) { l.again(1, "site/a/y", "1") })
	f(true, func(l *link) {
		p := publication(1, "site/a/x", "1")
		p.Duplicate, p.Properties.ContentType = true, "text/plain"
		l.send(p)
	})
	f(true, func(l *link) {
		p := publication(1, "site/a/x", "1")
		p.Duplicate, p.Properties.User = true, []packets.User{{Key: "unit", Value: "bar"}}
		l.send(p)
	})
}

// TestIdentifiersAreUsedAgain acknowledges a message before its identifier names another one.
func TestIdentifiersAreUsedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		for i := range 5 {
			l.publish(7, "site/a/x", strconv.Itoa(i))
			l.acknowledged(7)
		}
		l = f.reconnected(l, true)
		l.again(7, "site/a/x", "4") // the acknowledgement was lost on its way
		l.acknowledged(7)
		f.stored("0", "1", "2", "3", "4", "4")
	})
}

// TestBrokerWithoutMemory loses its session while nothing can be stored. What the bridge has taken is not lost, it does not
// take more than it has places for, and it comes back as soon as there are some.
func TestBrokerWithoutMemory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := testConfig()
		c.InFlight = 4
		f := newFixture(t, c)
		f.writer.fail(outcome.New(outcome.Unavailable, ""))
		l := f.connected()
		for i := range uint16(3) {
			l.publish(i+1, "site/a/x", strconv.Itoa(int(i)))
		}
		synctest.Wait()
		l = f.reconnected(l, false)
		for i := range uint16(4) {
			l.publish(i+1, "site/a/x", strconv.Itoa(int(i)+3))
		}
		l.ended()
		settled()
		if n := len(f.bridge.intake.acknowledged); n != 4 {
			t.Errorf("%d places are taken", n)
		}
		if f.bridge.Ready(t.Context()) == nil {
			t.Error("ready without a place for a message")
		}
		f.writer.fail(nil)
		l = f.broker.accept()
		l.welcome(true)
		for i := range uint16(4) {
			l.again(i+1, "site/a/x", strconv.Itoa(int(i)+3))
		}
		l.acknowledged(1, 2, 3, 4)
		f.stored("0", "1", "2", "3", "4", "5", "6")
	})
}

// TestBrokerThatSendsTooMuch does not keep to the receive maximum, neither while messages are stored nor while they are not.
func TestBrokerThatSendsTooMuch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := testConfig()
		c.InFlight = 4
		f := newFixture(t, c)
		l := f.connected()
		const messages = 100
		var want []string
		var ids []uint16
		for id := range uint16(messages) {
			l.publish(id+1, "site/a/x", strconv.Itoa(int(id)))
			want, ids = append(want, strconv.Itoa(int(id))), append(ids, id+1)
		}
		l.acknowledged(ids...)
		f.stored(want...)

		f.writer.fail(outcome.New(outcome.Unavailable, ""))
		go func() { // it does not end before the connection
			for id := range uint16(messages) {
				l.publish(id+1, "site/a/x", strconv.Itoa(int(id)+messages))
			}
		}()
		l.ended()
		settled()
		if n := len(f.bridge.intake.acknowledged); n != 4 {
			t.Errorf("%d places are taken", n)
		}
		f.writer.fail(nil)
		l = f.broker.accept()
		l.welcome(true)
		for id := range uint16(messages) {
			l.again(id+1, "site/a/x", strconv.Itoa(int(id)+messages))
			want = append(want, strconv.Itoa(int(id)+messages))
		}
		l.acknowledged(ids...)
		f.stored(want...)
	})
}

func TestAttemptsToConnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		f.start()
		time.Sleep(time.Hour)
		f.broker.accept().welcome(false)
		synctest.Wait()
		if err := f.bridge.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestQuarrelOverAClientID has the broker throw the bridge out each time, as it does when another client has the same id.
func TestQuarrelOverAClientID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		began, connections := time.Now(), 0
		for time.Since(began) < 10*time.Minute {
			l.send(&packets.Disconnect{ReasonCode: 0x8e, Properties: &packets.Properties{}})
			l.ended()
			l = f.broker.accept()
			l.welcome(true)
			connections++
		}
		if connections > 60 {
			t.Errorf("%d connections in 10 minutes", connections)
		}
	})
}

func TestConnectionThatLastedIsMadeAgainAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		time.Sleep(f.bridge.config.Broker.ReconnectDelay)
		began := time.Now()
		f.reconnected(l, true)
		if took := time.Since(began); took > 0 {
			t.Errorf("connected after %v", took)
		}
	})
}

func TestRefusedConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		f.start()
		l := f.broker.accept()
		l.send(&packets.Connack{ReasonCode: 0x87, Properties: &packets.Properties{}})
		l.ended()
		if err := f.bridge.Ready(t.Context()); err == nil {
			t.Error("ready without a connection")
		}
		f.broker.accept().welcome(false)
	})
}

func TestRefusedSubscription(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		f.start()
		l := f.broker.accept()
		l.send(&packets.Connack{Properties: &packets.Properties{}})
		l.answer(expect[*packets.Subscribe](l), 0x87)
		synctest.Wait()
		if err := f.bridge.Ready(t.Context()); err == nil {
			t.Error("ready without a subscription")
		}
		l.grant()
		synctest.Wait()
		if err := f.bridge.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		l.cut()
		synctest.Wait()
		if err := f.bridge.Ready(t.Context()); err == nil {
			t.Error("ready without a connection")
		}
	})
}

// TestSilentBroker has a connection that is open, and nobody at the other end who answers.
func TestSilentBroker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		f.start()
		c := <-f.broker.connections
		defer c.Close()
		if _, err := packets.ReadPacket(c); err != nil {
			t.Fatal(err)
		}
		if _, err := (&packets.Connack{Properties: &packets.Properties{}}).WriteTo(c); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, c) }()
		f.broker.accept().welcome(false)
	})
}

func TestPacketBeyondTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := testConfig()
		c.MaxPacket = 1024
		f := newFixture(t, c)
		l := f.connected()
		go func() { _, _ = l.conn.Write([]byte{0x32, 0xff, 0xff, 0xff, 0x7f}) }()
		l.ended()
		l = f.broker.accept()
		l.welcome(true)
		l.publish(1, "site/a/x", "1")
		l.acknowledged(1)
	})
}

// TestLeftBehind has a connection end while a message finds no place. It was not taken, so it is when it comes again.
func TestLeftBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := testConfig()
		c.InFlight = 2
		f := newFixture(t, c)
		f.writer.hold()
		l := f.connected()
		l.publish(1, "site/a/x", "1")
		l.publish(2, "site/a/x", "2")
		l.publish(3, "site/a/x", "3")
		synctest.Wait()
		l.cut()
		synctest.Wait()
		f.writer.release()
		l = f.broker.accept()
		l.welcome(true)
		l.again(1, "site/a/x", "1")
		l.again(2, "site/a/x", "2")
		l.again(3, "site/a/x", "3")
		l.acknowledged(1, 2, 3)
		f.stored("1", "2", "3")
	})
}

// TestNothingIsTakenAfterTheEnd hands over messages that were read before the connection ended, or the bridge.
func TestNothingIsTakenAfterTheEnd(t *testing.T) {
	f := func(end func(*Bridge)) {
		t.Helper()
		b := newFixture(t, testConfig()).bridge
		b.ledger.connected(true)
		end(b)
		for id := range uint16(20) {
			packet := &paho.Publish{QoS: 1, PacketID: id + 1, Topic: "site/a/x", Properties: &paho.PublishProperties{}}
			if _, err := b.intake.take(paho.PublishReceived{Packet: packet, Client: paho.NewClient(paho.ClientConfig{})}); err != nil {
				t.Error(err)
			}
		}
		if taken, known := len(b.intake.acknowledged), len(b.ledger.receipts); taken+known > 0 {
			t.Errorf("%d were taken, %d are known", taken, known)
		}
	}
	f(func(b *Bridge) { b.ledger.lost() })
	over, cancel := context.WithCancel(t.Context())
	cancel()
	f(func(b *Bridge) { _ = b.forwarder.Close(over) })
}

// TestNothingIsTakenBehindWhatWasLeft has a place become free after a message has waited for it in vain. What was read
// behind that message must not take it.
func TestNothingIsTakenBehindWhatWasLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := testConfig()
		c.InFlight = 1
		b := newFixture(t, c).bridge
		b.ledger.connected(true)
		b.intake.acknowledged <- struct{}{}
		take := func(id uint16) {
			packet := &paho.Publish{QoS: 1, PacketID: id, Topic: "site/a/x", Properties: &paho.PublishProperties{}}
			if _, err := b.intake.take(paho.PublishReceived{Packet: packet}); err != nil {
				t.Error(err)
			}
		}
		take(1)
		<-b.intake.acknowledged
		take(2)
		if taken, known := len(b.intake.acknowledged), len(b.ledger.receipts); taken+known > 0 {
			t.Errorf("%d were taken, %d are known", taken, known)
		}
	})
}

// TestStopWithoutAPlace stops a bridge that waits for Kafka before it connects again.
func TestStopWithoutAPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := testConfig()
		c.InFlight = 1
		f := newFixture(t, c)
		l := f.connected()
		f.writer.hold()
		l.publish(1, "site/a/x", "1")
		synctest.Wait()
		l.cut()
		settled()
		began := time.Now()
		f.finish()
		if took := time.Since(began); took > c.DrainTimeout+time.Second {
			t.Errorf("stopped after %v", took)
		}
		f.writer.release()
	})
}
