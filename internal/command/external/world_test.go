package external

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/outbound"
	"github.com/fairlead/fairlead/internal/registry"
)

// TestMain makes the certificate of test servers one that the system trusts: the stack's address names no other.
func TestMain(m *testing.M) {
	server := httptest.NewTLSServer(nil)
	server.Close()
	folder, err := os.MkdirTemp("", "fairlead-external-")
	if err != nil {
		panic(err)
	}
	file := filepath.Join(folder, "authorities.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		panic(err)
	}
	_ = os.Setenv("SSL_CERT_FILE", file)
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// A recorder is an HTTP server that keeps what it is sent, as text, and answers with a status.
type recorder struct {
	*httptest.Server
	mu     sync.Mutex
	got    []string
	status int
}

func record(t *testing.T, secure bool) *recorder {
	t.Helper()
	r := &recorder{status: http.StatusOK}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(r.take))
	if secure {
		r.StartTLS()
	} else {
		r.Start()
	}
	t.Cleanup(r.Close)
	return r
}

// headersOf are the headers that matter to who reads a command.
var headersOf = []string{"Authorization", "Content-Type", "X-Extra"}

func (r *recorder) take(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s\n", request.Method, request.URL.RequestURI())
	for _, name := range headersOf {
		for _, value := range request.Header.Values(name) {
			fmt.Fprintf(&text, "%s: %s\n", name, value)
		}
	}
	fmt.Fprintf(&text, "\n%s", body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, text.String())
	w.WriteHeader(r.status)
}

// last is the last request, and how many there were.
func (r *recorder) last() (text string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n = len(r.got); n > 0 {
		text = r.got[n-1]
	}
	return text, n
}

func (r *recorder) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// newClient lets endpoints lie on this machine.
func newClient(t *testing.T, downlinks Downlinks, change func(*outbound.Config)) *Client {
	t.Helper()
	c := outbound.DefaultConfig()
	c.Allow = []string{"127.0.0.0/8"}
	if change != nil {
		change(&c)
	}
	o, err := outbound.New(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return New(o, downlinks)
}

func application() *registry.Application {
	return &registry.Application{Metadata: registry.Metadata{Name: "app", UID: "uid-app"}}
}

// gateway has an endpoint, as JSON; "" is none.
func gateway(name, endpoint string) *registry.Device {
	d := &registry.Device{Metadata: registry.Metadata{Application: "app", Name: name, UID: "uid-" + name}}
	if endpoint != "" {
		d.Spec = registry.Sections{registry.SectionCommands: json.RawMessage(`{"commands":[{"external":` + endpoint + `}]}`)}
	}
	return d
}

func forDevice(device, name, payload string) command.Command {
	return command.Command{Application: "app", Device: device, Name: name, ContentType: "text/plain", Payload: []byte(payload)}
}

// send sends a command in the way of a gateway.
func send(c *Client, g *registry.Device, cmd command.Command) (string, bool, error) {
	return c.Send(context.Background(), application(), g, cmd)
}
