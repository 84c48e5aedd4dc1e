package mqtt

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	v3 "github.com/eclipse/paho.mqtt.golang"

	protocol "github.com/fairlead/fairlead/internal/mqtt"
)

// waitLimit is how long a test waits for what must happen. It only ends a test that fails.
const waitLimit = time.Minute

// soon receives something that must come.
func soon[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(waitLimit):
		t.Fatalf("%s did not come", what)
	}
	return v
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(waitLimit)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within %v", what, waitLimit)
		case <-time.After(time.Millisecond):
		}
	}
}

// A running gateway listens on loopback.
type running struct {
	protocol.Listeners
	stop  context.CancelFunc
	ended <-chan error
}

// start serves listeners, or one of TCP if there are none, until the end of the test.
func start(t testing.TB, g *Gateway, l protocol.Listeners) running {
	t.Helper()
	if l == (protocol.Listeners{}) {
		l.TCP = loopback(t)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended <- g.Serve(ctx, l)
	}()
	t.Cleanup(func() { stop(); <-done })
	return running{l, stop, ended}
}

func loopback(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A client5 is paho.golang.
type client5 struct {
	*paho.Client
	link     net.Conn
	received chan *paho.Publish
	left     chan *paho.Disconnect
}

// open5 makes a client of version 5 that is not connected yet.
func open5(t testing.TB, link net.Conn, err error) *client5 {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	c := &client5{link: link, received: make(chan *paho.Publish, 100), left: make(chan *paho.Disconnect, 1)}
	c.Client = paho.NewClient(paho.ClientConfig{
		Conn:               packets.NewThreadSafeConn(link),
		OnServerDisconnect: func(d *paho.Disconnect) { c.left <- d },
		OnClientError:      func(error) {},
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			c.received <- p.Packet
			return true, nil
		}},
	})
	t.Cleanup(func() { _ = link.Close() })
	return c
}

func tcp5(t testing.TB, at net.Listener) *client5 {
	t.Helper()
	link, err := net.Dial("tcp", at.Addr().String())
	return open5(t, link, err)
}

// login5 is the CONNECT of the device.
func login5() *paho.Connect {
	return &paho.Connect{
		ClientID: "c", CleanStart: true, KeepAlive: 30,
		UsernameFlag: true, Username: "device@app", PasswordFlag: true, Password: []byte("secret"),
	}
}

// connect5 connects, and tells what CONNACK says.
func (c *client5) connect5(t testing.TB, p *paho.Connect) *paho.Connack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	connack, err := c.Connect(ctx, p)
	if connack == nil {
		t.Fatalf("connecting: %v", err)
	}
	return connack
}

// connected5 is a connected device.
func connected5(t testing.TB, at net.Listener) *client5 {
	t.Helper()
	c := tcp5(t, at)
	if got := c.connect5(t, login5()); got.ReasonCode != 0 {
		t.Fatalf("CONNACK %#x", got.ReasonCode)
	}
	return c
}

// publish5 publishes with QoS 1, and tells what PUBACK says.
func (c *client5) publish5(t testing.TB, p *paho.Publish) byte {
	t.Helper()
	p.QoS = 1
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	puback, err := c.Publish(ctx, p)
	if puback == nil {
		t.Fatalf("publishing at %q: %v", p.Topic, err)
	}
	return puback.ReasonCode
}

// A client3 is paho.mqtt.golang, which speaks 3.1.1.
type client3 struct {
	v3.Client
	received chan v3.Message
	lost     chan error
}

func open3(t testing.TB, url string, change func(*v3.ClientOptions)) *client3 {
	t.Helper()
	c := &client3{received: make(chan v3.Message, 100), lost: make(chan error, 1)}
	options := v3.NewClientOptions().AddBroker(url).SetProtocolVersion(4).SetClientID("c").
		SetUsername("device@app").SetPassword("secret").
		SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(false).SetConnectTimeout(waitLimit).
		SetConnectionLostHandler(func(_ v3.Client, err error) { c.lost <- err }).
		SetDefaultPublishHandler(func(_ v3.Client, m v3.Message) { c.received <- m })
	if change != nil {
		change(options)
	}
	c.Client = v3.NewClient(options)
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

func tcp3(t testing.TB, at net.Listener, change func(*v3.ClientOptions)) *client3 {
	t.Helper()
	return open3(t, "tcp://"+at.Addr().String(), change)
}

// done waits for what a client has begun.
func done(t testing.TB, token v3.Token) error {
	t.Helper()
	if !token.WaitTimeout(waitLimit) {
		t.Fatal("no answer")
	}
	return token.Error()
}

func connected3(t testing.TB, at net.Listener, change func(*v3.ClientOptions)) *client3 {
	t.Helper()
	c := tcp3(t, at, change)
	if err := done(t, c.Connect()); err != nil {
		t.Fatal(err)
	}
	return c
}
