//go:build integration

package e2e

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	coapdtls "github.com/plgd-dev/go-coap/v3/dtls"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp/client"

	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/numbered"
	"github.com/fairlead/fairlead/test/relay"
)

const coapDevices = 6

// A coapLoad is devices that send numbered messages over DTLS, each one after the other, until it is stopped.
type coapLoad struct {
	t       *testing.T
	tenant  *tenant
	checker *numbered.Checker
	cancel  context.CancelFunc
	devices sync.WaitGroup
}

// startCoAPLoad has the devices of a new application send to an address.
func startCoAPLoad(t *testing.T, address string) *coapLoad {
	t.Helper()
	a := newTenant(t)
	ctx, cancel := context.WithCancel(t.Context())
	l := &coapLoad{t: t, tenant: a, checker: numbered.New(), cancel: cancel}
	for i := range coapDevices {
		name := "device-" + strconv.Itoa(i)
		a.device(name, keyed("p", "key"))
		l.devices.Go(func() { l.run(ctx, name, address) })
	}
	t.Cleanup(l.stop)
	return l
}

func (l *coapLoad) stop() {
	l.cancel()
	l.devices.Wait()
}

// run sends for one device. A session that has ended is followed by another one.
func (l *coapLoad) run(ctx context.Context, device, address string) {
	for ctx.Err() == nil {
		conn, err := l.connect(ctx, device, address)
		if err != nil {
			continue // the radio, or a gateway that is starting
		}
		for ctx.Err() == nil && conn.Context().Err() == nil {
			l.send(conn, l.checker.Next(device))
		}
		_ = conn.Close()
	}
}

func (l *coapLoad) connect(ctx context.Context, device, address string) (*client.Conn, error) {
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	conn, err := dtls.DialWithOptions("udp", to,
		dtls.WithPSK(func([]byte) ([]byte, error) { return []byte("key"), nil }),
		dtls.WithPSKIdentityHint([]byte(device+"@"+l.tenant.name)),
		dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_CCM_8),
		dtls.WithConnectionIDGenerator(dtls.OnlySendCIDGenerator()))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return coapdtls.Client(conn, options.WithErrors(func(error) {}), options.WithCloseSocket(),
		options.WithTransmission(1, 200*time.Millisecond, 6),
		options.WithPeriodicRunner(func(f func(time.Time) bool) {
			go func() {
				for f(time.Now()) {
					<-time.After(20 * time.Millisecond)
				}
			}()
		})), nil
}

// send posts one message and notes the answer.
func (l *coapLoad) send(conn *client.Conn, m numbered.Message) {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	answer, err := conn.Post(ctx, "/v1/load", message.AppJSON, bytes.NewReader(m.Body()))
	if err != nil {
		l.checker.Answered(m, numbered.Unknown)
		return
	}
	l.checker.Answered(m, coapAnswerOf(byte(answer.Code())))
}

// coapAnswerOf reads a response code: its class is in the upper three bits.
func coapAnswerOf(code byte) numbered.Answer { return numbered.AnswerOf(int(code>>5) * 100) }

// more waits until so many more messages are acknowledged.
func (l *coapLoad) more(count int) {
	l.t.Helper()
	target := l.checker.Counts().Acknowledged + count
	neighbour.Eventually(l.t, strconv.Itoa(count)+" more messages to be acknowledged", func() bool {
		return l.checker.Counts().Acknowledged >= target
	})
}

func (l *coapLoad) undecided(count int) {
	l.t.Helper()
	target := l.checker.Counts().Unknown + count
	neighbour.Eventually(l.t, strconv.Itoa(count)+" more messages to have no decision", func() bool {
		return l.checker.Counts().Unknown >= target
	})
}

// verify stops the load and compares what was promised with what is stored.
func (l *coapLoad) verify() {
	l.t.Helper()
	l.stop()
	stored, err := numbered.ReadTopic(bounded(l.t), here.kafka.Brokers(), l.tenant.topic)
	if err != nil {
		l.t.Fatal(err)
	}
	if faults := l.checker.Verify(stored); len(faults) > 0 {
		l.t.Errorf("%d faults:\n%s", len(faults), numbered.Summary(faults))
	}
	l.t.Logf("answers %+v, %d records", l.checker.Counts(), len(stored))
}

// TestCoAPLoadOverBadRadio loses, repeats and delays a part of all datagrams, and moves every device to another address now
// and then. What is acknowledged is stored once, in order.
func TestCoAPLoadOverBadRadio(t *testing.T) {
	s := startCoAP(t)
	bad, err := relay.Start(s.SecureAddress().String(), relay.Faults{})
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	l := startCoAPLoad(t, bad.Address())
	l.more(100)
	bad.Set(relay.Faults{Lose: .1, Repeat: .2, Delay: .1, MaxDelay: 50 * time.Millisecond, Seed: 3})
	for range 3 {
		l.more(60)
		bad.Move()
	}
	l.more(60)
	bad.Set(relay.Faults{})
	l.more(100)
	l.verify()
	t.Logf("the relay: %+v", bad.Counts())
}

func TestKafkaDiesUnderCoAPLoad(t *testing.T) {
	s := startCoAP(t)
	l := startCoAPLoad(t, s.SecureAddress().String())
	l.more(300)
	restart := kill(t, here.kafka.Process)
	l.undecided(coapDevices)
	restart()
	l.more(300)
	l.verify()
}

// TestGatewayStopsUnderCoAPLoad drains the gateway: who was heard is answered.
func TestGatewayStopsUnderCoAPLoad(t *testing.T) {
	s := startCoAP(t)
	l := startCoAPLoad(t, s.SecureAddress().String())
	l.more(300)
	s.stop()
	if err := <-s.stopped; err != nil {
		t.Error(err)
	}
	s.stopped <- nil
	l.verify()
}
