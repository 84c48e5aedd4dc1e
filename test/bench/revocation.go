package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/changes"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/gatewaybin"
	"github.com/fairlead/fairlead/test/mqttclient"
)

const (
	withdrawnApplication = "withdrawn"

	// sessionsPerGateway is how many MQTT sessions one gateway process and one process of clients hold, so that a common file
	// limit suffices.
	sessionsPerGateway = 10_000

	// maxWithdrawal is the target for the time from the request to the registry until a session is closed.
	maxWithdrawal = 2 * time.Second

	// toldLimit bounds the wait for the registry to have told of all devices that were made.
	toldLimit = 5 * time.Minute
	toldPoll  = 100 * time.Millisecond
)

// A withdrawal is how much is done to withdraw an application.
type withdrawal struct {
	mqtt, dtls int // sessions
	after      int // log-ins afterwards
	logins     int // of each kind, of the tenant beside an attacked one, in each round
}

// A site is processes as they are deployed, and somebody who manages the registry.
type site struct {
	*neighbours
	registry *functionbin.Function
	secret   string
	mqtt     []*gatewayProcess
	dtls     string // address of CoAP over DTLS
}

// measureRevocation disables an application with many sessions, and attacks one beside another.
func measureRevocation(ctx context.Context, s *scene) ([]row, error) {
	site, err := s.site(ctx, (s.size.withdrawn.mqtt+sessionsPerGateway-1)/sessionsPerGateway)
	if err != nil {
		return nil, err
	}
	rows, err := site.withdraw(ctx, s.size.withdrawn)
	if err != nil {
		return rows, err
	}
	more, err := site.besideAttack(ctx, s.size.withdrawn.logins)
	return append(rows, more...), err
}

// site starts the processes against the neighbours. They end with the measurement.
func (s *scene) site(ctx context.Context, gateways int) (*site, error) {
	first, n, err := s.gateway(ctx)
	if err != nil {
		return nil, err
	}
	all := &site{neighbours: n, mqtt: []*gatewayProcess{first}}
	for len(all.mqtt) < gateways {
		g, err := startGateway(ctx, *s.gateways, n, first.judge)
		if err != nil {
			return nil, fmt.Errorf("starting a gateway: %w", err)
		}
		s.afterwards(g.Close)
		all.mqtt = append(all.mqtt, g)
	}
	coap, address, err := startCoAPGateway(ctx, *s.gateways, n, first.judge)
	if err != nil {
		return nil, err
	}
	s.afterwards(coap.Close)
	all.dtls = address
	return all, all.manage(ctx, s)
}

// startCoAPGateway starts the CoAP gateway as it is deployed, at an address for DTLS.
func startCoAPGateway(ctx context.Context, binary gatewaybin.Binary, n *neighbours, judge *functionbin.Function) (*gatewaybin.Gateway, string, error) {
	address, err := gatewaybin.FreeAddress()
	if err != nil {
		return nil, "", err
	}
	g, err := binary.Start(ctx, "coap", "FAIRLEAD_COAP_SECURE_ADDRESS="+address, "FAIRLEAD_AUTH_CLIENT_URL="+judge.URL(),
		"FAIRLEAD_CACHE_URL="+n.redis.URL(), "FAIRLEAD_KAFKA_BROKERS="+strings.Join(n.kafka.Brokers(), ","))
	if err != nil {
		return nil, "", fmt.Errorf("starting the CoAP gateway: %w", err)
	}
	return g, address, nil
}

// manage starts the registry function, and makes an access token for somebody.
func (s *site) manage(ctx context.Context, scene *scene) (err error) {
	if err := kafka.EnsureTopics(ctx, s.config(), partitions, changes.DefaultConfig().Topic); err != nil {
		return err
	}
	s.registry, err = scene.binary.Start(ctx, "registry", append(s.settings(), "FAIRLEAD_FUNCTION=registry", "FAIRLEAD_REGISTRY_ENDPOINTS_API=https://api.example.com")...)
	if err != nil {
		return fmt.Errorf("starting the registry: %w", err)
	}
	scene.afterwards(s.registry.Close)
	s.secret, err = s.accessToken(ctx)
	return err
}

// ask sends a request to the registry's API.
func (s *site) ask(ctx context.Context, method, path, body string) error {
	r, err := http.NewRequestWithContext(ctx, method, s.registry.URL()+"/api/registry/v1alpha1/apps"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.SetBasicAuth("bench", s.secret)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("asking the registry: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s %s: %s %s", method, path, response.Status, text)
	}
	return nil
}

// tenant makes an application through the API, with devices that are written to the database.
func (s *site) tenant(ctx context.Context, application string, devices int, device func(int) (*registry.Device, error)) error {
	return s.tenantWith(ctx, application, "{}", devices, device)
}

// tenantWith makes an application with a specification.
func (s *site) tenantWith(ctx context.Context, application, spec string, devices int, device func(int) (*registry.Device, error)) error {
	if err := s.ask(ctx, http.MethodPost, "", fmt.Sprintf(`{"metadata":{"name":%q},"spec":%s}`, application, spec)); err != nil {
		return err
	}
	if err := kafka.EnsureTopics(ctx, s.config(), partitions, event.Topic(application)); err != nil {
		return err
	}
	return s.register(ctx, devices, func(i int) (*registry.Device, error) {
		d, err := device(i)
		if err == nil {
			d.Metadata.Application = application
		}
		return d, err
	})
}

// settled waits until the registry has told of everything.
func (s *site) settled(ctx context.Context) (err error) {
	store, err := postgres.Open(ctx, s.postgres.URL())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, toldLimit)
	defer cancel()
	poll := time.NewTicker(toldPoll)
	defer poll.Stop()
	for {
		waiting, err := store.Waiting(ctx, 1)
		if err != nil || waiting == 0 {
			return err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return errors.New("the registry does not tell of all changes")
		}
	}
}

func plainDevice(i int) (*registry.Device, error) {
	return benchDevice(i, registry.Password{Kind: registry.PlainPassword, Value: benchPassword})
}

// withdraw opens sessions of one application, disables it, and has them say when they were closed.
func (s *site) withdraw(ctx context.Context, w withdrawal) (rows []row, err error) {
	if err := s.tenant(ctx, withdrawnApplication, max(w.mqtt, w.dtls), plainDevice); err != nil {
		return nil, err
	}
	if err := s.settled(ctx); err != nil {
		return nil, err
	}
	var groups []*heldSessions
	defer func() {
		for _, g := range groups {
			g.end()
		}
	}()
	for i, g := range s.mqtt {
		first := i * sessionsPerGateway
		held, err := holdElsewhere(ctx, "--mqtt", g.address, first, min(sessionsPerGateway, w.mqtt-first))
		if err != nil {
			return nil, err
		}
		groups = append(groups, held)
	}
	held, err := holdElsewhere(ctx, "--dtls", s.dtls, 0, w.dtls)
	if err != nil {
		return nil, err
	}
	groups = append(groups, held)
	for _, g := range groups {
		if err := g.connected(); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	if err := s.ask(ctx, http.MethodPatch, "/"+withdrawnApplication, `{"spec":{"core":{"disabled":true}}}`); err != nil {
		return nil, err
	}
	answered := time.Since(began)
	var mqtt, dtls sample[time.Duration]
	for i, g := range groups {
		times, err := g.ends(began)
		if err != nil {
			return nil, err
		}
		if i < len(s.mqtt) {
			mqtt = append(mqtt, times...)
		} else {
			dtls = times
		}
	}
	rows = withdrawalRows(mqtt, dtls, answered)
	admitted, err := s.admittedAfterwards(ctx, w.after)
	if err != nil {
		return rows, err
	}
	return append(rows, row{
		figure: fmt.Sprintf("of %d log-ins afterwards, admitted", w.after+w.after/10), value: whole(float64(admitted)), target: "exactly 0", holds: admitted == 0,
	}), nil
}

func withdrawalRows(mqtt, dtls sample[time.Duration], answered time.Duration) (rows []row) {
	all := append(append(sample[time.Duration](nil), mqtt...), dtls...)
	for _, group := range []struct {
		name  string
		times sample[time.Duration]
	}{{"MQTT", mqtt}, {"DTLS", dtls}, {"all", all}} {
		p99 := group.times.quantile(0.99)
		rows = append(rows, row{
			figure: fmt.Sprintf("%s: p99 until a session is closed, of %d", group.name, len(group.times)), value: seconds2(p99),
			span:   fmt.Sprintf("p50 %s, max %s", seconds2(group.times.median()), seconds2(group.times.quantile(1))),
			target: "under " + seconds2(maxWithdrawal), holds: p99 < maxWithdrawal,
		})
	}
	return append(rows, row{figure: "of which until the registry answered", value: seconds2(answered)})
}

func seconds2(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// admittedAfterwards logs devices of the disabled application in, as many over DTLS as a tenth of those over MQTT, and counts
// those that are admitted. No answer at all is an error, except over DTLS, where it is the refusal.
func (s *site) admittedAfterwards(ctx context.Context, count int) (admitted int64, err error) {
	var group sync.WaitGroup
	var in atomic.Int64
	problems := make(chan error, count)
	slots := make(chan struct{}, dialers)
	for i := range count {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			client, err := mqttclient.Dial(ctx, mqttclient.TCP(s.mqtt[i%len(s.mqtt)].address), deviceName(i), deviceName(i)+"@"+withdrawnApplication, benchPassword)
			switch _, refused := errors.AsType[*mqttclient.RefusedError](err); {
			case err == nil:
				in.Add(1)
				_ = client.Close()
			case !refused:
				problems <- err
			}
		})
	}
	for i := range count / 10 {
		group.Go(func() {
			if d, err := newCoAPDevice(ctx, s.dtls, deviceName(i)+"@"+withdrawnApplication); err == nil {
				in.Add(1)
				_ = d.conn.Close()
			}
		})
	}
	group.Wait()
	close(problems)
	return in.Load(), <-problems
}
