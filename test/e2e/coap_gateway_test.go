//go:build integration

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/gateways/coap"
	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/test/authority"
)

// A coapSite is a CoAP gateway that asks the authentication function, hears of changes from Redis and writes to Kafka.
type coapSite struct {
	*coap.Gateway
	t       *testing.T
	hub     *command.Hub
	servers *authority.Authority
	stop    context.CancelFunc
	stopped chan error
}

// startCoAP runs a gateway of this process until the test ends.
func startCoAP(t *testing.T) *coapSite {
	t.Helper()
	parts := coapParts(t)
	s := &coapSite{t: t, hub: parts.Commands, servers: authority.New(t, "Servers"), stopped: make(chan error, 1)}
	config := coap.DefaultConfig()
	config.Address, config.SecureAddress = "127.0.0.1:0", "127.0.0.1:0"
	config.DrainTimeout = 5 * time.Second
	server := s.servers.Issue("localhost", nil)
	var err error
	s.Gateway, err = coap.New(config, parts.Authenticator, parts.Pipeline, parts.Commands,
		func() (*tls.Certificate, error) { return &server, nil }, parts.Log)
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	go func() { s.stopped <- s.Run(ctx) }()
	t.Cleanup(func() {
		s.stop()
		if err := <-s.stopped; err != nil {
			t.Error(err)
		}
	})
	return s
}

// coapParts are those of a gateway that asks the authentication function. Decisions last for longer than any test, so that only
// a push can end them.
func coapParts(t *testing.T) *assembly.Parts {
	t.Helper()
	gateway, _ := assembly.Find(assembly.Gateway, assembly.CoAP)
	shared, decisions := assembly.DefaultConfig(), auth.DefaultConfig()
	shared.Cache.URL, shared.Kafka.Brokers = here.redis.URL(), here.kafka.Brokers()
	decisions.Client.URL = here.auth.URL()
	decisions.Cache.TTL, decisions.Cache.HardTTL = 10*time.Minute, 20*time.Minute
	decisions.Steady.Quantum, decisions.Steady.MaxDelay, decisions.Steady.Failures = 20*time.Millisecond, 40*time.Millisecond, 100_000
	parts, err := assembly.Open(t.Context(), gateway, shared, decisions, assembly.Neighbours{Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
		defer cancel()
		if err := parts.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return parts
}

// plain and secure are the URLs of a path.
func (s *coapSite) plain(path string) string  { return "coap://" + s.Address().String() + path }
func (s *coapSite) secure(path string) string { return "coaps://" + s.SecureAddress().String() + path }

// keyed is the specification of a device with a password and a pre-shared key.
func keyed(password, key string) string {
	return `{"authentication":{"credentials":[{"pass":` + quote(password) + `},{"psk":{"key":` +
		quote(base64.StdEncoding.EncodeToString([]byte(key))) + `}}]}}`
}

// authorization is coap-client's option with a log-in.
func authorization(user, password string) []string {
	return []string{"-O", "4209,Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
}

// A coapAnswer is what coap-client got: the response code, "" if there was none, the response's options as coap-client shows
// them, and its body.
type coapAnswer struct{ code, options, body, log string }

// answerLine is how coap-client shows a response that it got.
var answerLine = regexp.MustCompile(`v:1 t:\w+ c:([2-5]\.\d\d) i:\w+ \{\w*\} \[([^\]]*)\]`)

// coapClient runs one of libcoap's clients. The last argument is the URL.
func coapClient(t *testing.T, library string, arguments ...string) coapAnswer {
	t.Helper()
	output := filepath.Join(t.TempDir(), "body")
	all := append([]string{"-v", "6", "-B", "30", "-o", output}, arguments...)
	log, err := exec.CommandContext(bounded(t), "coap-client-"+library, all...).CombinedOutput()
	if err != nil {
		t.Fatalf("coap-client-%s %q: %v\n%s", library, arguments, err, log)
	}
	a := coapAnswer{log: string(log)}
	for _, found := range answerLine.FindAllStringSubmatch(a.log, -1) {
		if found[1] != "2.31" { // a block that is not the last one
			a.code, a.options = found[1], found[2]
		}
	}
	if content, err := os.ReadFile(output); err == nil {
		a.body = string(content)
	}
	return a
}

// coapLibraries are the DTLS libraries of libcoap's clients.
func coapLibraries(t *testing.T, run func(t *testing.T, library string)) {
	for _, library := range []string{"openssl", "gnutls"} {
		t.Run(library, func(t *testing.T) { run(t, library) })
	}
}

// expect checks a response code.
func (a coapAnswer) expect(t *testing.T, what, code string) {
	t.Helper()
	if a.code != code {
		t.Errorf("%s: answered %q, want %q\n%s", what, a.code, code, clipped(a.log))
	}
}

// clipped is the end of a log.
func clipped(log string) string {
	const enough = 4000
	if len(log) > enough {
		log = log[len(log)-enough:]
	}
	return strings.TrimSpace(log)
}
