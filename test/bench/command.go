package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store/accounts"
	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/internal/user"
	"github.com/fairlead/fairlead/test/mqttclient"
)

const (
	commandedDevices = 1000
	commandsPerSec   = 300
	idleCommands     = 10_000 // while another gateway is idle
	senders          = 32     // send these at once

	maxCommandP95 = 20 * time.Millisecond
	maxCommandP99 = 50 * time.Millisecond

	commandLimit = 30 * time.Second // of one command, and of what is left at the end
)

func commandedName(i int) string { return fmt.Sprintf("commanded%d", i) }

// measureCommands sends commands to connected devices, watches what an idle gateway gets of that, and holds many subscriptions.
func measureCommands(ctx context.Context, s *scene) ([]row, error) {
	c, err := s.commanded(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := c.latency(ctx, s.size.commands)
	if err != nil {
		return rows, err
	}
	more, err := c.beside(ctx)
	rows = append(rows, more...)
	if err != nil {
		return rows, err
	}
	more, err = holdInterests(ctx)
	return append(rows, more...), err
}

// commanded is the function, somebody with an access token, and devices that listen at a gateway.
type commanded struct {
	url, secret string
	idle        *meter // between Redis and a second gateway
	client      *http.Client
	got         chan arrival
}

// An arrival is when a device got the command of a number.
type arrival struct {
	number int
	at     time.Time
}

func (s *scene) commanded(ctx context.Context) (*commanded, error) {
	first, n, err := s.gateway(ctx)
	if err != nil {
		return nil, err
	}
	c := &commanded{got: make(chan arrival, idleCommands), client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: senders}, Timeout: commandLimit,
	}}
	if c.idle, err = startMeter(n.redis.Address()); err != nil {
		return nil, err
	}
	s.afterwards(c.idle.Close)
	second, err := startGatewayAt(ctx, *s.gateways, n, first.judge, "redis://"+c.idle.Address()+"/0")
	if err != nil {
		return nil, fmt.Errorf("starting a second gateway: %w", err)
	}
	s.afterwards(second.Close)
	function, err := s.binary.Start(ctx, "command", "FAIRLEAD_DATABASE_URL="+n.postgres.URL(), "FAIRLEAD_CACHE_URL="+n.redis.URL())
	if err != nil {
		return nil, fmt.Errorf("starting the function: %w", err)
	}
	s.afterwards(function.Close)
	c.url = function.URL()
	if c.secret, err = n.accessToken(ctx); err != nil {
		return nil, err
	}
	return c, c.connect(ctx, s, n, first.address, second.address)
}

// accessToken makes one for somebody.
func (n *neighbours) accessToken(ctx context.Context) (secret string, err error) {
	store, err := postgres.Open(ctx, n.postgres.URL())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	tokens := user.NewTokens(user.DefaultTokensConfig(), accounts.New(store))
	_, secret, err = tokens.Create(ctx, &user.Identity{ID: "bench", Name: "bench"}, user.TokenRequest{})
	return secret, err
}

// connect has the devices listen at the first gateway, and one more at the second.
func (c *commanded) connect(ctx context.Context, s *scene, n *neighbours, first, second string) error {
	err := n.register(ctx, commandedDevices+1, func(i int) (*registry.Device, error) {
		device, err := benchDevice(i, registry.Password{Kind: registry.PlainPassword, Value: benchPassword})
		if err == nil {
			device.Metadata.Name = commandedName(i)
		}
		return device, err
	})
	if err != nil {
		return err
	}
	for i := range commandedDevices + 1 {
		address := first
		if i == commandedDevices {
			address = second
		}
		device, err := mqttclient.Dial(ctx, mqttclient.TCP(address), commandedName(i), commandedName(i)+"@"+application, benchPassword)
		if err != nil {
			return err
		}
		s.afterwards(device.Close)
		if err := device.SubscribeTo("command/inbox/#", 0); err != nil {
			return err
		}
		go c.receive(device)
	}
	return nil
}

// receive notes what a device gets, until its connection ends.
func (c *commanded) receive(device *mqttclient.Client) {
	for {
		_, body, err := device.ReadPacket()
		if err != nil {
			return
		}
		at := time.Now()
		if number, err := strconv.Atoi(string(body[bytes.LastIndexByte(body, '/')+1:])); err == nil {
			c.got <- arrival{number, at}
		}
	}
}

// send sends the command of a number, its name, to one of the devices.
func (c *commanded) send(ctx context.Context, number int) error {
	device := commandedName(number % commandedDevices)
	path := c.url + "/api/command/v1alpha1/apps/" + application + "/devices/" + device + "?command=" + strconv.Itoa(number)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, path, nil)
	if err != nil {
		return err
	}
	r.SetBasicAuth("bench", c.secret)
	response, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusAccepted || response.Header.Get("Fairlead-Reached") != "1" {
		return fmt.Errorf("command to %s: %s, reached %q", device, response.Status, response.Header.Get("Fairlead-Reached"))
	}
	return nil
}

// latency sends at a steady rate, and measures from the request to the device.
func (c *commanded) latency(ctx context.Context, lasting time.Duration) ([]row, error) {
	warm := commandsPerSec
	count := warm + int(lasting.Seconds()*commandsPerSec)
	began, failures := make([]time.Time, count), make(chan error, count)
	tick := time.NewTicker(time.Second / commandsPerSec)
	defer tick.Stop()
	var sending sync.WaitGroup
	for i := range count {
		<-tick.C
		began[i] = time.Now()
		sending.Go(func() {
			if err := c.send(ctx, i); err != nil {
				failures <- err
			}
		})
	}
	sending.Wait()
	select {
	case err := <-failures:
		return nil, err
	default:
	}
	var times sample[time.Duration]
	for range count {
		select {
		case a := <-c.got:
			if a.number >= warm {
				times = append(times, a.at.Sub(began[a.number]))
			}
		case <-time.After(commandLimit):
			return nil, fmt.Errorf("%d of %d commands did not arrive", count-warm-len(times), count)
		}
	}
	slices.Sort(times)
	p95, p99 := times.quantile(0.95), times.quantile(0.99)
	what := fmt.Sprintf("from the request to the device, %d/s to %d devices", commandsPerSec, commandedDevices)
	return []row{
		{figure: what + ", median", value: millis(times.median()), span: times.span(millis)},
		{figure: what + ", p95", value: millis(p95), target: "under " + millis(maxCommandP95), holds: p95 < maxCommandP95},
		{figure: what + ", p99", value: millis(p99), target: "under " + millis(maxCommandP99), holds: p99 < maxCommandP99},
	}, nil
}

// beside sends many commands to devices of one gateway, and counts what another one gets from Redis meanwhile, and in as much time
// without commands.
func (c *commanded) beside(ctx context.Context) ([]row, error) {
	before, began := c.idle.bytes.Load(), time.Now()
	numbers, failures := make(chan int), make(chan error, senders)
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			var failed error
			for number := range numbers {
				if failed == nil {
					failed = c.send(ctx, number)
				}
			}
			if failed != nil {
				failures <- failed
			}
		})
	}
	for i := range idleCommands {
		numbers <- i
	}
	close(numbers)
	sending.Wait()
	took := time.Since(began)
	with := c.idle.bytes.Load() - before
	time.Sleep(took)
	without := c.idle.bytes.Load() - before - with
	select {
	case err := <-failures:
		return nil, err
	default:
	}
	return []row{
		{figure: fmt.Sprintf("bytes from Redis to an idle gateway while another gets %d commands", idleCommands), value: whole(float64(with)),
			span: fmt.Sprintf("in %.1f s; %d in as long without commands", took.Seconds(), without)},
		{figure: "commands per second, as fast as it goes", value: whole(idleCommands / took.Seconds())},
	}, nil
}

// usedMemory is what Redis uses, in bytes.
func usedMemory(ctx context.Context, client *redis.Client) (int64, error) {
	text, err := client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(text, "used_memory:")
	value, _, _ := strings.Cut(rest, "\r\n")
	return strconv.ParseInt(value, 10, 64)
}

// interests is how many channels all connections have subscribed to.
func interests(ctx context.Context, client *redis.Client) (n int) {
	text, err := client.Do(ctx, "CLIENT", "LIST", "TYPE", "pubsub").Text()
	if err != nil {
		return 0
	}
	for field := range strings.FieldsSeq(text) {
		if value, ok := strings.CutPrefix(field, "sub="); ok {
			more, _ := strconv.Atoi(value)
			n += more
		}
	}
	return n
}
