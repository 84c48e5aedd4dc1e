//go:build integration

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/paho"

	"github.com/fairlead/fairlead/test/neighbour"
)

// A collector is a process with the OTLP receiver of the OpenTelemetry Collector, which prints what it receives.
type collector struct {
	*neighbour.Process
	grpc, http string
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	path := filepath.Join(t.TempDir(), "collector")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../collector", "-buildvcs=false", "-o", path, ".")
	build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the collector: %v\n%s", err, output)
	}
	c := &collector{}
	for _, address := range []*string{&c.grpc, &c.http} {
		port, err := neighbour.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		*address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	var err error
	c.Process, err = neighbour.StartProcess(bounded(t), neighbour.Command{
		Name: "collector", Path: path, Args: []string{c.grpc, c.http}, Ready: func(ctx context.Context) error {
			var dialer net.Dialer
			connection, err := dialer.DialContext(ctx, "tcp", c.http)
			if err != nil {
				return err
			}
			return connection.Close()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A span is what the collector says of one.
type span struct {
	service               string
	name, id, trace, from string
}

// spans are those that have arrived, by service and name.
func (c *collector) spans(t *testing.T) map[string]span {
	t.Helper()
	file, err := os.Open(c.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	found := map[string]span{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var batch struct {
			ResourceSpans []struct {
				Resource struct {
					Attributes []struct {
						Key   string
						Value struct{ StringValue string }
					}
				}
				ScopeSpans []struct {
					Spans []struct{ Name, TraceID, SpanID, ParentSpanID string }
				}
			}
		}
		if json.Unmarshal(lines.Bytes(), &batch) != nil {
			continue // what the collector says of itself
		}
		for _, r := range batch.ResourceSpans {
			service := ""
			for _, a := range r.Resource.Attributes {
				if a.Key == "service.name" {
					service = a.Value.StringValue
				}
			}
			for _, scope := range r.ScopeSpans {
				for _, s := range scope.Spans {
					found[service+" "+s.Name] = span{service, s.Name, s.SpanID, s.TraceID, s.ParentSpanID}
				}
			}
		}
	}
	return found
}

const (
	deviceTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	deviceSpan  = "00f067aa0ba902b7"
)

// TestTraces follows a message from a header of the device through the functions into Kafka's record, in a collector.
func TestTraces(t *testing.T) {
	c := startCollector(t)
	a := newTenant(t)
	a.device("device", password("p"))
	auth, err := here.function(bounded(t), "auth", append(here.registry(),
		"FAIRLEAD_PROCESS_TRACES_PROTOCOL=grpc", "FAIRLEAD_PROCESS_TRACES_ENDPOINT=http://"+c.grpc, "FAIRLEAD_PROCESS_TRACES_RATIO=1")...)
	if err != nil {
		t.Fatal(err)
	}
	telemetry, err := here.function(bounded(t), "telemetry", append(frontSettings(), "FAIRLEAD_AUTH_CLIENT_URL="+auth.URL(),
		"FAIRLEAD_PROCESS_TRACES_PROTOCOL=http/protobuf", "FAIRLEAD_PROCESS_TRACES_ENDPOINT=http://"+c.http, "FAIRLEAD_PROCESS_TRACES_RATIO=1")...)
	if err != nil {
		t.Fatal(err)
	}
	answer := curl(t, []byte("1"), "-u", "device@"+a.name+":p", "-H", "traceparent: 00-"+deviceTrace+"-"+deviceSpan+"-01", "-H", "tracestate: a=b",
		telemetry.URL()+"/v1/x")
	if answer.status != 202 {
		t.Fatalf("%+v", answer)
	}
	headers := a.only().headers
	for _, f := range []interface{ Stop() error }{telemetry, auth} { // which exports what is left
		if err := f.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	var found map[string]span
	neighbour.Eventually(t, "all spans to arrive", func() bool {
		found = c.spans(t)
		return len(found) >= 5
	})
	f := func(name, parent string) {
		t.Helper()
		s, ok := found[name]
		if !ok || s.trace != deviceTrace || s.from != parent {
			t.Errorf("%s is %+v, want it below %s; all: %v", name, s, parent, found)
		}
	}
	f("fairlead-telemetry receive http", deviceSpan)
	receipt := found["fairlead-telemetry receive http"].id
	f("fairlead-telemetry admission", receipt)
	f("fairlead-telemetry pipeline", receipt)
	f("fairlead-telemetry kafka", receipt)
	f("fairlead-auth receive authentication", found["fairlead-telemetry admission"].id)
	if want := "00-" + deviceTrace + "-" + found["fairlead-telemetry kafka"].id + "-01"; headers["ce_traceparent"] != want || headers["ce_tracestate"] != "a=b" {
		t.Errorf("the record has %q and %q, want %q", headers["ce_traceparent"], headers["ce_tracestate"], want)
	}
}

// TestTraceContextPassesThrough has no traces exported: the record has the device's own context, from HTTP and from MQTT.
func TestTraceContextPassesThrough(t *testing.T) {
	a := newTenant(t)
	a.device("device", password("p"))
	parent := "00-" + deviceTrace + "-" + deviceSpan + "-00"
	if answer := curl(t, []byte("1"), "-u", "device@"+a.name+":p", "-H", "traceparent: "+parent, here.telemetry.URL()+"/v1/http"); answer.status != 202 {
		t.Fatalf("%+v", answer)
	}
	if answer := curl(t, []byte("1"), "-u", "device@"+a.name+":p", "-H", "traceparent: "+strings.ToUpper(parent), here.telemetry.URL()+"/v1/wrong"); answer.status != 202 {
		t.Fatalf("%+v", answer)
	}
	g := ownMQTT(t)
	client := connect5(t, dial5(t, g, "tcp://"+g.tcp), "device@"+a.name, "p", nil)
	message := &paho.Publish{Topic: "mqtt", QoS: 1, Payload: []byte("1"), Properties: &paho.PublishProperties{}}
	message.Properties.User.Add("traceparent", parent)
	message.Properties.User.Add("tracestate", "a=b")
	if _, err := client.Publish(bounded(t), message); err != nil {
		t.Fatal(err)
	}
	records := map[string]record{}
	for _, r := range a.records() {
		records[r.headers["ce_subject"]] = r
	}
	if records["http"].headers["ce_traceparent"] != parent || records["mqtt"].headers["ce_traceparent"] != parent || records["mqtt"].headers["ce_tracestate"] != "a=b" {
		t.Errorf("records %v", records)
	}
	if h := records["wrong"].headers; h == nil || h["ce_traceparent"] != "" {
		t.Errorf("what is no trace context is in the record: %v", h)
	}
}
