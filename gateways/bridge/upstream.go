package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session/state"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/backoff"
)

const (
	// acknowledgeInterval is how long the client collects acknowledgements. In each of these times it can end as many
	// messages as may be in flight.
	acknowledgeInterval = 5 * time.Millisecond

	// shortestReconnect is the shortest time between two attempts to connect.
	shortestReconnect = 500 * time.Millisecond
)

// An upstream is the connection to the broker: it is made, made again when it is lost, and subscribed with.
type upstream struct {
	config  Config
	room    func() // waits until something can be taken; no connection is made before
	dial    func(context.Context) (net.Conn, error)
	address *url.URL
	filters []paho.SubscribeOptions
	ledger  *ledger
	metrics *bridgeMetrics
	log     *zap.Logger

	workers sync.WaitGroup // that subscribe

	mu         sync.Mutex
	conn       net.Conn        // of the latest attempt
	failing    bool            // the attempts since then led to no lasting connection
	pauses     *backoff.Pauses // between them
	since      time.Time       // of the present connection; zero: there is none
	subscribed bool            // the broker has granted every filter on it
	lose       context.CancelFunc
}

func newUpstream(c Config, r routes, b *Bridge) (*upstream, error) {
	address, err := parseURL(c.Broker.URL)
	if err != nil {
		return nil, fmt.Errorf("broker.url: %w", err)
	}
	d := &dialer{url: address, config: c.Broker, maxPacket: c.MaxPacket}
	if _, err := d.tls(); err != nil {
		return nil, err
	}
	return &upstream{
		config: c, room: b.intake.room, dial: d.dial, address: address, filters: subscriptions(c, r),
		ledger: b.ledger, metrics: b.metrics, log: b.log, pauses: backoff.New(shortestReconnect, c.Broker.ReconnectDelay),
	}, nil
}

// subscriptions ask for QoS 1, so that a message of QoS 2 comes with QoS 1, too.
func subscriptions(c Config, r routes) []paho.SubscribeOptions {
	const retainedIfNew, retainedNever = 1, 2 // MQTT 5.0 section 3.8.3.1
	var list []paho.SubscribeOptions
	for _, p := range r {
		s := paho.SubscribeOptions{Topic: p.Filter(), QoS: 1, RetainHandling: retainedNever}
		if c.Retained {
			s.RetainHandling = retainedIfNew
		}
		if c.SharedGroup != "" {
			s.Topic = "$share/" + c.SharedGroup + "/" + s.Topic
		}
		list = append(list, s)
	}
	return list
}

// connect begins to connect and goes on until ctx ends or the connection is closed. take is called for each message.
func (u *upstream) connect(ctx context.Context, take func(paho.PublishReceived) (bool, error)) (*autopaho.ConnectionManager, error) {
	c := u.config.Broker
	return autopaho.NewConnection(ctx, autopaho.ClientConfig{
		ServerUrls:                    []*url.URL{u.address},
		KeepAlive:                     uint16(c.KeepAlive / time.Second),
		CleanStartOnInitialConnection: c.CleanStart,
		SessionExpiryInterval:         uint32(c.SessionExpiry / time.Second),
		ReconnectBackoff:              func(int) time.Duration { return u.delay() },
		ConnectTimeout:                c.ConnectTimeout,
		ConnectUsername:               c.Username,
		ConnectPassword:               []byte(c.Password),
		ConnectPacketBuilder:          u.limit,
		AttemptConnection: func(ctx context.Context, _ autopaho.ClientConfig, _ *url.URL) (net.Conn, error) {
			return u.attempt(ctx)
		},
		OnConnectionUp:   func(m *autopaho.ConnectionManager, a *paho.Connack) { u.up(ctx, m, a) },
		OnConnectionDown: u.down,
		OnConnectError:   u.failed,
		ClientConfig: paho.ClientConfig{
			ClientID:                   c.ClientID,
			Session:                    &sessionManager{SessionManager: state.NewInMemory(), ledger: u.ledger},
			EnableManualAcknowledgment: true,
			SendAcksInterval:           acknowledgeInterval,
			PacketTimeout:              c.ConnectTimeout,
			OnPublishReceived:          []func(paho.PublishReceived) (bool, error){take},
			OnClientError:              func(err error) { u.log.Warn("the connection to the broker is lost", zap.Error(err)) },
			OnServerDisconnect:         u.dismissed,
		},
	})
}

// limit adds to a CONNECT what the broker may send: so many messages of QoS 1 without an acknowledgement, and no larger
// packets.
func (u *upstream) limit(c *paho.Connect, _ *url.URL) (*paho.Connect, error) {
	if c.Properties == nil {
		c.Properties = &paho.ConnectProperties{}
	}
	receiveMaximum, maximumPacketSize := uint16(u.config.InFlight), uint32(u.config.MaxPacket)
	c.Properties.ReceiveMaximum, c.Properties.MaximumPacketSize = &receiveMaximum, &maximumPacketSize
	c.Properties.RequestProblemInfo = true
	return c, nil
}

// attempt makes a connection, which disconnect can end.
func (u *upstream) attempt(ctx context.Context) (net.Conn, error) {
	c, err := u.dial(ctx)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.conn = c
	return c, nil
}

// disconnect ends the connection. The client then makes another one.
func (u *upstream) disconnect() {
	u.mu.Lock()
	c := u.conn
	u.mu.Unlock()
	if c != nil {
		_ = c.Close()
	}
}

// delay is how long to wait before the next attempt to connect, once there is a reason to.
func (u *upstream) delay() time.Duration {
	u.room()
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.failing {
		return 0
	}
	return u.pauses.Next()
}

func (u *upstream) failed(err error) {
	u.mu.Lock()
	u.failing = true
	u.mu.Unlock()
	u.metrics.connection(connectionFailed)
	u.log.Warn("the broker cannot be reached", zap.Error(err))
}

// dismissed reports that the broker ended the connection.
func (u *upstream) dismissed(d *paho.Disconnect) {
	const takenOver = 0x8e // MQTT 5.0 section 3.14.2.1
	text := "the broker ended the connection"
	if d.ReasonCode == takenOver {
		text = "another client of the broker has the client id of this bridge"
	}
	u.log.Warn(text, zap.Uint8("reason", d.ReasonCode))
}

// up begins to subscribe on a new connection.
func (u *upstream) up(ctx context.Context, m *autopaho.ConnectionManager, a *paho.Connack) {
	ctx, lose := context.WithCancel(ctx)
	u.mu.Lock()
	u.since, u.lose = time.Now(), lose
	u.mu.Unlock()
	u.metrics.connection(connectionUp)
	u.log.Info("connected to the broker", zap.Bool("session present", a.SessionPresent))
	u.workers.Go(func() { u.subscribe(ctx, m) })
}

// down notes that a connection is lost. One that did not last counts as a failure, so that two clients with the same id do
// not chase each other as fast as they can.
func (u *upstream) down() (again bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lose()
	if time.Since(u.since) < u.config.Broker.ReconnectDelay {
		u.failing = true
	} else {
		u.failing = false
		u.pauses.Reset()
	}
	u.since, u.subscribed = time.Time{}, false
	u.metrics.connection(connectionLost)
	return true
}

// subscribe goes on until the broker has granted every filter or the connection ends.
func (u *upstream) subscribe(ctx context.Context, m *autopaho.ConnectionManager) {
	for pauses := backoff.New(shortestReconnect, u.config.Broker.ReconnectDelay); ; {
		answer, err := m.Subscribe(ctx, &paho.Subscribe{Subscriptions: u.filters})
		if err == nil {
			u.granted(ctx)
			return
		}
		if ctx.Err() != nil {
			return
		}
		u.log.Warn("the broker does not grant a subscription", zap.Strings("filters", u.refused(answer)), zap.Error(err))
		if !pauses.Wait(ctx) {
			return
		}
	}
}

// refused are the filters that an answer does not grant; all of them if there is none.
func (u *upstream) refused(answer *paho.Suback) (filters []string) {
	const unspecified = 0x80 // from here on reason codes are failures
	for i, s := range u.filters {
		if answer == nil || i >= len(answer.Reasons) || answer.Reasons[i] >= unspecified {
			filters = append(filters, s.Topic)
		}
	}
	return filters
}

func (u *upstream) granted(ctx context.Context) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if ctx.Err() == nil {
		u.subscribed = true
	}
}

// ready tells why nothing comes from the broker.
func (u *upstream) ready() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.since.IsZero():
		return errors.New("not connected to the broker")
	case !u.subscribed:
		return errors.New("the broker has not granted the subscriptions")
	default:
		return nil
	}
}
