//go:build integration

package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/test/neighbour"
)

// A page is testdata/consume.html in a browser.
type page struct {
	*httptest.Server
	t    *testing.T
	mu   sync.Mutex
	told map[string][]happening // by consumer
}

// A happening is what the page tells of one of its consumers.
type happening struct{ What, Text string }

// servePage serves the page, whose origin is none of the gateway's, until the test ends.
func servePage(t *testing.T) *page {
	p := &page{t: t, told: map[string][]happening{}}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/consume.html") })
	routes.HandleFunc("POST /told", p.take)
	p.Server = httptest.NewServer(routes)
	t.Cleanup(func() {
		p.Close() // it waits until nobody tells anything
		if t.Failed() {
			t.Logf("the page tells %+v", p.told)
		}
	})
	return p
}

func (p *page) take(w http.ResponseWriter, r *http.Request) {
	var message struct {
		Consumer string
		happening
	}
	if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
		p.t.Errorf("the page tells what cannot be read: %v", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told[message.Consumer] = append(p.told[message.Consumer], message.happening)
}

// open has Chromium open the page, as a user who consumes an application's events. Chromium ends with the test.
func (p *page) open(g *consumerGateway, a *tenant, c *consuming) {
	p.t.Helper()
	query := url.Values{"gateway": {g.web}, "application": {a.name}, "user": {c.name}, "secret": {c.secret}}
	chromium, err := neighbour.StartProcess(bounded(p.t), neighbour.Command{Name: "chromium", Path: "chromium", Args: []string{
		"--headless", "--disable-gpu", "--disable-dev-shm-usage", "--log-level=3",
		"--no-sandbox", // or it does not run as root
		"--user-data-dir=" + p.t.TempDir(), "--no-first-run",
		// Nothing but the page is fetched, and that from this machine.
		"--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
		"--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions", "--disable-sync",
		p.URL + "/?" + query.Encode(),
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if log, err := os.ReadFile(chromium.LogPath()); p.t.Failed() {
			p.t.Logf("%v\n%s", err, log)
		}
		if err := chromium.Close(); err != nil {
			p.t.Error(err)
		}
	})
}

// await waits until the page tells something of consumers that matches.
func (p *page) await(what string, matches func(text string) bool, consumers ...string) {
	p.t.Helper()
	for _, consumer := range consumers {
		neighbour.Eventually(p.t, what+" of "+consumer, func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return slices.ContainsFunc(p.told[consumer], func(one happening) bool { return one.What == what && matches(one.Text) })
		})
	}
}

// awaitEvent waits until consumers have an event of the device called device.
func (p *page) awaitEvent(a *tenant, channel string, consumers ...string) {
	p.t.Helper()
	want := shown{
		Type: "io.drogue.event.v1", Subject: channel, Application: a.name, Device: "device", Sender: "device", Instance: "drogue",
		ContentType: "application/json", Data: map[string]any{"temperature": 21.5},
	}
	p.await("message", func(text string) bool {
		e, ok := structuredEvent(text)
		e.ID = ""
		return ok && cmp.Equal(e, want)
	}, consumers...)
}

func whatever(string) bool { return true }

// is matches one text.
func is(want string) func(string) bool { return func(text string) bool { return text == want } }

// The consumers of the page.
var (
	withSecret = []string{"WebSocket, token", "WebSocket, user and access token"}
	anonymous  = []string{"WebSocket, nobody", "EventSource, nobody"}
	streams    = []string{"EventSource, token", "EventSource, user and access token"}
	fetches    = []string{"fetch, Bearer", "fetch, Basic"}
)

// Chromium runs a page of another origin that consumes in every way that pages have. Where the gateway is started anew, an EventSource goes
// on by itself with what came meanwhile.
func TestPageConsumes(t *testing.T) {
	a, c, p := newTenant(t), consumer(t, "page"), servePage(t)
	a.own(c)
	a.device("device", password("p"))
	send := func(channel string) {
		t.Helper()
		accepted(t, channel, post(t, here.telemetry.URL()+"/v1/"+channel, "device@"+a.name+":p", matrixBody, mediaType("application/json")...))
	}
	g := ownIntegration(t, "FAIRLEAD_INTEGRATION_WEB_ORIGINS="+p.URL)
	p.open(g, a, c)
	all := slices.Concat(withSecret, streams, fetches)
	p.await("open", whatever, all...)
	p.await("refused", whatever, anonymous...)
	p.await("close", is("1008"), "WebSocket, a token that is not taken")
	send("first")
	p.awaitEvent(a, "first", all...)
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	p.await("close", is("1001"), withSecret...)
	send("meanwhile")
	if err := g.Start(bounded(t)); err != nil {
		t.Fatal(err)
	}
	p.awaitEvent(a, "meanwhile", streams...)
}

// A page whose origin is not named reads what it has a credential for over WebSocket, and nothing else, not even what is public.
func TestPageThatIsNotNamed(t *testing.T) {
	a, c, p := newTenant(t), consumer(t, "stranger"), servePage(t)
	a.own(c)
	a.publish()
	p.open(ownIntegration(t), a, c)
	p.await("open", whatever, withSecret...)
	p.await("refused", whatever, slices.Concat(anonymous, streams, fetches)...)
	named := servePage(t)
	named.open(ownIntegration(t, "FAIRLEAD_INTEGRATION_WEB_ORIGINS="+named.URL), a, c)
	named.await("open", whatever, slices.Concat(withSecret, anonymous, streams, fetches)...)
}
