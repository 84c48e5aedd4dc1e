package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"
)

const (
	// maxStart is the target for the time from exec to ready.
	maxStart = 150 * time.Millisecond

	// startPoll is how often readiness is asked, and with that the precision of the figure.
	startPoll = 2 * time.Millisecond

	// startLimit is when waiting for readiness ends.
	startLimit = 20 * time.Second
)

// A program is what is started, once it has its address for probes.
type program struct {
	name string
	path string
	args []string
	env  []string
	// probes is the setting that takes the address of probes.
	probes string
}

// measureStart runs each process again and again until it says that it is ready. The file is in the page cache from the
// second time on, as an image is on a node that has run it before.
func measureStart(ctx context.Context, s *scene) (rows []row, err error) {
	all, err := s.programs(ctx)
	if err != nil {
		return nil, err
	}
	sizes := map[string]bool{}
	for _, p := range all {
		var times sample[time.Duration]
		for range s.size.starts {
			took, err := p.coldStart(ctx)
			if err != nil {
				return rows, err
			}
			times = append(times, took)
		}
		rows = append(rows, row{
			figure: fmt.Sprintf("%s, median of %d", p.name, len(times)), value: millis(times.median()), span: times.span(millis),
			target: "under " + millis(maxStart), holds: times.median() < maxStart,
		})
		sizes[p.path] = true
	}
	for _, path := range slices.Sorted(maps.Keys(sizes)) {
		size, err := os.Stat(path)
		if err != nil {
			return rows, err
		}
		rows = append(rows, row{figure: "size of the binary " + filepath.Base(path), value: fmt.Sprintf("%.1f MB", float64(size.Size())/1e6)})
	}
	return rows, nil
}

// listening are the settings for where a gateway listens.
var listening = map[string]string{"mqtt": "FAIRLEAD_MQTT_TCP_ADDRESS", "coap": "FAIRLEAD_COAP_ADDRESS"}

// programs are the functions and gateways that devices wait for.
func (s *scene) programs(ctx context.Context) ([]program, error) {
	n, err := s.servers(ctx)
	if err != nil {
		return nil, err
	}
	function, err := s.function(ctx)
	if err != nil {
		return nil, err
	}
	gateways, err := s.gatewayBinary(ctx)
	if err != nil {
		return nil, err
	}
	judge, err := s.judge(ctx, n)
	if err != nil {
		return nil, err
	}
	var all []program
	for _, name := range []string{"telemetry", "auth", "registry"} {
		env := append(n.settings(), "FAIRLEAD_FUNCTION="+name, "FAIRLEAD_REGISTRY_ENDPOINTS_API=https://api.example.com")
		all = append(all, program{name: name, path: function.Path, env: env, probes: "LISTEN_ADDRESS"})
	}
	for _, name := range []string{"mqtt", "coap"} {
		env := []string{listening[name] + "=127.0.0.1:0", "FAIRLEAD_AUTH_CLIENT_URL=" + judge.URL(), "FAIRLEAD_CACHE_URL=" + n.redis.URL(),
			"FAIRLEAD_KAFKA_BROKERS=" + strings.Join(n.kafka.Brokers(), ",")}
		all = append(all, program{name: "gateway " + name, path: gateways.Path, args: []string{name}, env: env, probes: "FAIRLEAD_HEALTH_ADDRESS"})
	}
	return all, nil
}

// coldStart is not that of functionbin and gatewaybin, which look less often whether the process is ready.
func (p program) coldStart(ctx context.Context) (time.Duration, error) {
	port, err := neighbour.FreePort()
	if err != nil {
		return 0, err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var log bytes.Buffer
	command := exec.CommandContext(ctx, p.path, p.args...)
	command.Env = append(append(os.Environ(), p.env...), p.probes+"="+address)
	command.Stdout, command.Stderr = &log, &log
	began := time.Now()
	if err := command.Start(); err != nil {
		return 0, fmt.Errorf("starting %s: %w", p.name, err)
	}
	err = awaitReady(ctx, address)
	took := time.Since(began)
	_ = command.Process.Kill()
	_ = command.Wait() // says that it was killed
	if err != nil {
		return 0, fmt.Errorf("waiting for %s to be ready: %w\n%s", p.name, err, log.Bytes())
	}
	return took, nil
}

func awaitReady(ctx context.Context, address string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	poll := time.NewTicker(startPoll)
	defer poll.Stop()
	for {
		last := askReady(ctx, client, address)
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return last
		case <-poll.C:
		}
	}
}

func askReady(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health/readiness", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("readiness is answered with %d", response.StatusCode)
	}
	return nil
}
