package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

func TestCommandLine(t *testing.T) {
	f := func(status int, want string, arguments ...string) {
		t.Helper()
		var problems bytes.Buffer
		got := run(t.Context(), arguments, nil, &problems)
		if got != status || !strings.Contains(problems.String(), want) {
			t.Errorf("gateway %v ends with %d and says %q; want %d and %q", arguments, got, problems.String(), status, want)
		}
	}
	f(2, "Usage: gateway NAME")
	f(0, "mqtt", "--help")
	f(2, "Usage", "mqtt", "bridge")
	f(2, "Usage", "amqp")
	f(1, "kafka.brokers", "mqtt")
}

// free finds a free address.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestLife has a gateway become ready once its neighbours are there, and end without an error when it is told to.
func TestLife(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	redis := miniredis.RunT(t)
	auth := httptest.NewServer(http.NotFoundHandler())
	defer auth.Close()
	probes, mqtt := free(t), free(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var problems bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"mqtt"}, []string{
			"FAIRLEAD_KAFKA_BROKERS=" + strings.Join(broker.ListenAddrs(), ","), "FAIRLEAD_CACHE_URL=redis://" + redis.Addr(),
			"FAIRLEAD_AUTH_CLIENT_URL=" + auth.URL, "FAIRLEAD_HEALTH_ADDRESS=" + probes, "FAIRLEAD_MQTT_TCP_ADDRESS=" + mqtt,
			"FAIRLEAD_PROCESS_LOG_LEVEL=error",
		}, &problems)
	}()
	awaitStatus(t, "http://"+probes+"/health/liveness", http.StatusOK)
	awaitStatus(t, "http://"+probes+"/health/readiness", http.StatusOK)
	connection, err := net.Dial("tcp", mqtt)
	if err != nil {
		t.Fatal(err)
	}
	_ = connection.Close()
	broker.Close()
	awaitStatus(t, "http://"+probes+"/health/readiness", http.StatusServiceUnavailable)
	cancel()
	if status := <-ended; status != 0 {
		t.Errorf("ends with %d: %s", status, problems.String())
	}
}

// awaitStatus asks until the answer has a status.
func awaitStatus(t *testing.T, url string, want int) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == want {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s is not answered with %d", url, want)
		case <-ticker.C:
		}
	}
}
