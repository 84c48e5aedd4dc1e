package knative

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/authority"
)

const (
	ingressProof = "a proof that nobody guesses"
	proven       = "device1@example-app:hey-rodney"
)

// queuePorts are those that queue-proxy listens on whatever it is told.
var queuePorts = []string{"8022", "9090", "9091"}

// A process is a program that runs for a test.
type process struct {
	*exec.Cmd
	ended chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(text)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// launch runs a program until the test ends.
func launch(t *testing.T, environment []string, path string, arguments ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(path, arguments...), ended: make(chan struct{})}
	p.Env, p.Stdout, p.Stderr = append(os.Environ(), environment...), p, p
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.Wait() // its status is looked at where it matters
	}()
	t.Cleanup(func() {
		p.stop(os.Kill)
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(path), p.output())
		}
	})
	return p
}

// stop sends a signal and waits for the end.
func (p *process) stop(s os.Signal) (status int) {
	_ = p.Process.Signal(s) // it may have ended
	<-p.ended
	return p.ProcessState.ExitCode()
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// compile builds a program into a folder.
func compile(t *testing.T, to, folder, what string) string {
	t.Helper()
	build := exec.CommandContext(t.Context(), "go", "build", "-C", folder, "-buildvcs=false", "-o", to, what)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=auto")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", what, err, output)
	}
	return to
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A pod is a function and the queue-proxy before it, with the neighbours of a fairlead dev.
type pod struct {
	t               *testing.T
	binary          string
	url             string
	port            string // of the function
	neighbours      []string
	queue, function *process
	certificate     string // of a device, as an ingress forwards it
}

func newPod(t *testing.T) *pod {
	t.Helper()
	for _, port := range queuePorts {
		listener, err := net.Listen("tcp", ":"+port)
		if err != nil {
			t.Skipf("port %s of queue-proxy is taken on this machine", port)
		}
		_ = listener.Close()
	}
	dir := t.TempDir()
	p := &pod{t: t, port: freePort(t), binary: compile(t, filepath.Join(dir, "function"), filepath.Join("..", "function"), ".")}
	p.startNeighbours(dir)
	serving := freePort(t)
	p.url = "http://127.0.0.1:" + serving
	queue := compile(t, filepath.Join(dir, "queue-proxy"), ".", "knative.dev/serving/cmd/queue")
	p.queue = launch(t, []string{
		"CONTAINER_CONCURRENCY=250", "QUEUE_SERVING_PORT=" + serving, "QUEUE_SERVING_TLS_PORT=" + freePort(t), "USER_PORT=" + p.port,
		"REVISION_TIMEOUT_SECONDS=60", "SERVING_LOGGING_CONFIG=", "SERVING_LOGGING_LEVEL=", "SERVING_NAMESPACE=fairlead",
		"SERVING_CONFIGURATION=fairlead-telemetry", "SERVING_REVISION=fairlead-telemetry-00001", "SERVING_POD=pod", "SERVING_POD_IP=127.0.0.1",
		`SERVING_READINESS_PROBE={"httpGet":{"path":"/health/readiness","host":"127.0.0.1","scheme":"HTTP","port":` + p.port +
			`},"successThreshold":1,"periodSeconds":1,"timeoutSeconds":10}`,
	}, queue)
	return p
}

// startNeighbours runs Kafka, Redis, the database and the authentication function, with a device that has a certificate.
func (p *pod) startNeighbours(dir string) {
	t := p.t
	t.Helper()
	root := filepath.Join("..", "..")
	ca := authority.New(t, "Devices")
	device := ca.Issue("dev", nil)
	p.certificate = `Cert="` + url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: device.Certificate[0]}))) + `"`
	registry := filepath.Join(dir, "registry.yaml")
	text := fmt.Sprintf(`kind: Application
metadata: {name: example-app}
spec: {trustAnchors: {anchors: [{certificate: %s}]}}
---
kind: Device
metadata: {application: example-app, name: device1}
spec: {authentication: {credentials: [{pass: hey-rodney}]}}
---
kind: Device
metadata: {application: example-app, name: dev}
spec: {alias: [%q]}
`, base64.StdEncoding.EncodeToString(ca.PEM()), authority.DistinguishedName("dev"))
	if err := os.WriteFile(registry, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	launch(t, nil, compile(t, filepath.Join(dir, "fairlead"), root, "./cmd/fairlead"), "dev", "--random-ports", "--data", data, "--registry", registry)
	var note struct {
		Kafka                  []string
		Auth, AuthToken, Redis string
	}
	eventually(t, "fairlead dev", func() bool {
		text, err := os.ReadFile(filepath.Join(data, "dev.json"))
		return err == nil && json.Unmarshal(text, &note) == nil
	})
	p.neighbours = []string{
		"FAIRLEAD_KAFKA_BROKERS=" + note.Kafka[0], "FAIRLEAD_AUTH_CLIENT_URL=" + note.Auth, "FAIRLEAD_AUTH_CLIENT_TOKEN=" + note.AuthToken,
		"FAIRLEAD_CACHE_URL=" + note.Redis, "FAIRLEAD_FUNCTION=telemetry", "LISTEN_ADDRESS=127.0.0.1:" + p.port,
	}
}

// start runs the function, in place of the one before, and waits until queue-proxy finds it ready.
func (p *pod) start(settings ...string) {
	p.t.Helper()
	if p.function != nil {
		p.function.stop(syscall.SIGTERM)
	}
	p.function = launch(p.t, append(p.neighbours, settings...), p.binary)
	eventually(p.t, "readiness through queue-proxy", func() bool { return p.probe() == http.StatusOK })
}

// probe is what queue-proxy answers to a kubelet that asks whether the function is ready; 0 for nothing.
func (p *pod) probe() (status int) {
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("K-Network-Probe", "queue")
	request.Header.Set("User-Agent", "kube-probe/1.35")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// post sends a message. A login is user:password, or nothing.
func (p *pod) post(login, path string, headers ...string) (status int) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+path, strings.NewReader(`{"n":1}`))
	if err != nil {
		p.t.Fatal(err)
	}
	logIn(request, login)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

func logIn(request *http.Request, login string) {
	if user, password, ok := strings.Cut(login, ":"); ok {
		request.SetBasicAuth(user, password)
	}
}

// A held request is on its way, and keeps the rest of its body back.
type held struct {
	rest   *io.PipeWriter
	answer chan int
}

// hold begins a request, and waits until the begin of its body is sent.
func (p *pod) hold() *held {
	p.t.Helper()
	body, rest := io.Pipe()
	h := &held{rest, make(chan int, 1)}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.url+"/v1/held", body)
	if err != nil {
		p.t.Fatal(err)
	}
	logIn(request, proven)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			h.answer <- 0
			return
		}
		_ = response.Body.Close()
		h.answer <- response.StatusCode
	}()
	_, _ = rest.Write([]byte(`{"n":`))
	return h
}

// finish sends the rest, and gives the answer.
func (h *held) finish() int {
	_, _ = h.rest.Write([]byte(`2}`))
	_ = h.rest.Close()
	return <-h.answer
}

// TestBehindQueueProxy runs the function as a pod of Knative does, behind the queue-proxy of Serving.
func TestBehindQueueProxy(t *testing.T) {
	p := newPod(t)
	eventually(t, "queue-proxy", func() bool { return p.probe() == http.StatusServiceUnavailable }) // the function does not run

	const where = "203.0.113.7"
	p.start()
	if got := p.post(proven, "/v1/telemetry"); got != http.StatusAccepted {
		t.Errorf("a message is answered with %d", got)
	}
	if got := p.post(proven, "/v1/telemetry?ct=1"); got != http.StatusAccepted {
		t.Errorf("a message that waits for a command is answered with %d", got)
	}
	p.guess(where, false)
	p.claim("where nothing is configured", http.StatusForbidden)
	p.claim("where nothing is configured, with a proof", http.StatusForbidden, "X-Fairlead-Proof", ingressProof)

	p.start("FAIRLEAD_PROXIES_TRUSTED=127.0.0.0/8,::1", "FAIRLEAD_PROXIES_CERTIFICATE_PROOF="+ingressProof)
	p.guess(where, true)
	p.claim("without the proof", http.StatusForbidden)
	p.claim("with another proof", http.StatusForbidden, "X-Fairlead-Proof", "a proof that somebody guesses")
	p.claim("by the ingress", http.StatusAccepted, "X-Fairlead-Proof", ingressProof)

	p.drain()
}

// guess has a wrong password come through proxies, and tells whether the function believed them where it came from.
func (p *pod) guess(where string, believed bool) {
	p.t.Helper()
	if got := p.post("device1@example-app:wrong", "/v1/telemetry", "X-Forwarded-For", where); got != http.StatusForbidden {
		p.t.Errorf("a wrong password is answered with %d", got)
	}
	refused := func() string {
		for line := range strings.Lines(p.function.output()) {
			if strings.Contains(line, "refused: ") && strings.Contains(line, "device1") {
				return line
			}
		}
		return ""
	}
	eventually(p.t, "the line of the refusal", func() bool { return refused() != "" })
	if line := refused(); strings.Contains(line, where) != believed {
		p.t.Errorf("believed should be %v: %s", believed, line)
	}
}

// claim sends the certificate of a device as an ingress would.
func (p *pod) claim(how string, want int, headers ...string) {
	p.t.Helper()
	if got := p.post("", "/v1/telemetry", append(headers, "X-Forwarded-Client-Cert", p.certificate)...); got != want {
		p.t.Errorf("a certificate %s is answered with %d, want %d", how, got, want)
	}
}

// drain ends the pod while requests are on their way: none is lost.
func (p *pod) drain() {
	t := p.t
	t.Helper()
	var all []*held
	for range 5 {
		all = append(all, p.hold())
	}
	if got := p.post(proven, "/v1/telemetry"); got != http.StatusAccepted { // behind those that are held
		t.Errorf("a request beside others is answered with %d", got)
	}
	if err := p.queue.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "queue-proxy to say that it drains", func() bool { return p.probe() != http.StatusOK })
	if got := p.post(proven, "/v1/telemetry"); got != http.StatusAccepted {
		t.Errorf("a request that comes while the pod is being taken out of the way is answered with %d", got)
	}
	if err := p.function.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the function to drain", func() bool { return p.probe() != http.StatusOK && p.refuses() })
	for _, h := range all {
		if got := h.finish(); got != http.StatusAccepted {
			t.Errorf("a request on its way is answered with %d", got)
		}
	}
	if status := p.function.stop(syscall.SIGTERM); status != 0 {
		t.Errorf("the function ended with status %d", status)
	}
}

// refuses tells whether the function takes no new connections.
func (p *pod) refuses() bool {
	connection, err := net.Dial("tcp", "127.0.0.1:"+p.port)
	if err != nil {
		return true
	}
	_ = connection.Close()
	return false
}
