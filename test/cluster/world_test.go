//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	namespace = "fairlead"
	// longestWait bounds every wait, so that a test that fails ends: a function sleeps after a minute and a half.
	longestWait = 4 * time.Minute
)

// functions are those that sleep.
var functions = []string{
	"fairlead-auth", "fairlead-command", "fairlead-command-events", "fairlead-provision", "fairlead-push", "fairlead-registry",
	"fairlead-telemetry", "fairlead-ttn",
}

// setting is a variable that test/cluster/run sets.
func setting(t testing.TB, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run this by make cluster-test or make cluster-bench", name)
	}
	return value
}

// run runs a command and gives its standard output.
func run(t testing.TB, name string, arguments ...string) string {
	t.Helper()
	out, err := try(name, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func try(name string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*longestWait)
	defer cancel()
	command := exec.CommandContext(ctx, name, arguments...)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(arguments, " "), err, tail(string(out)), tail(problems.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// tail is the end of what a command has said.
func tail(text string) string {
	const most = 1500
	return text[max(0, len(text)-most):]
}

// kubectl speaks with the cluster, about the namespace of Fairlead.
func kubectl(t testing.TB, arguments ...string) string {
	t.Helper()
	return run(t, "kubectl", append([]string{"--namespace", namespace}, arguments...)...)
}

// functionSetting is a variable that the functions have from the overlay.
func functionSetting(t testing.TB, name string) string {
	t.Helper()
	return kubectl(t, "get", "configmap", "fairlead-functions", "-o", "jsonpath={.data."+name+"}")
}

// apply has the cluster keep objects.
func apply(t testing.TB, manifest string) {
	t.Helper()
	command := exec.Command("kubectl", "--namespace", namespace, "apply", "-f", "-")
	command.Stdin = strings.NewReader(manifest)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("kubectl apply: %v\n%s\nof\n%s", err, out, manifest)
	}
}

// eventually waits until a condition holds, and says how long it took. look is what to look at if it never does.
func eventually(t testing.TB, what, look string, holds func() bool) time.Duration {
	t.Helper()
	started := time.Now()
	for !holds() {
		if time.Since(started) > longestWait {
			t.Fatalf("waiting for %s: not within %v. Look at: %s", what, longestWait, look)
		}
		time.Sleep(200 * time.Millisecond) // between looks at something outside
	}
	return time.Since(started).Round(100 * time.Millisecond)
}

// awake are the pods of a function that are there and do not end.
func awake(t testing.TB, function string) int {
	t.Helper()
	pods := kubectl(t, "get", "pods", "-l", "serving.knative.dev/service="+function, "-o",
		`go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}`)
	return len(strings.Fields(pods))
}

// asleep waits until functions have no pods.
func asleep(t testing.TB, names ...string) time.Duration {
	t.Helper()
	return eventually(t, strings.Join(names, ", ")+" to sleep", "kubectl -n fairlead get pods,podautoscalers", func() bool {
		for _, name := range names {
			if awake(t, name) > 0 {
				return false
			}
		}
		return true
	})
}

// address is where a function or Service of Knative is reached.
func address(t testing.TB, service string) string {
	t.Helper()
	return kubectl(t, "get", "services.serving.knative.dev", service, "-o", "jsonpath={.status.url}")
}

var client = &http.Client{Timeout: time.Minute, Transport: transport()}

// transport believes every server: the overlay draws the gateways' certificate.
func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	return t
}

// A login goes with a request: a user and a password, or as user "" a token.
type login struct{ user, secret string }

// send sends one request, and gives status and body of the answer.
func send(method, url string, as login, header map[string]string, body string) (int, string, error) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	switch {
	case as.user != "":
		request.SetBasicAuth(as.user, as.secret)
	case as.secret != "":
		request.Header.Set("Authorization", "Bearer "+as.secret)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// must sends a request that has to succeed.
func must(t testing.TB, method, url string, as login, header map[string]string, body string) string {
	t.Helper()
	status, answer, err := send(method, url, as, header, body)
	if err != nil || status/100 != 2 {
		t.Fatalf("%s %s: %d %s %v", method, url, status, answer, err)
	}
	return answer
}

var (
	jsonContent = map[string]string{"Content-Type": "application/json"}
	textContent = map[string]string{"Content-Type": "text/plain"}
)

// A tenant is an application of the test.
type tenant struct {
	name, api string
	admin     login
}

// newTenant makes an application through the API, as the account that administers the registry.
func newTenant(t testing.TB) *tenant {
	t.Helper()
	a := &tenant{
		name: fmt.Sprintf("cluster-test-%x", time.Now().UnixNano()), api: address(t, "fairlead-registry") + "/api/registry/v1alpha1/apps",
		admin: login{secret: kubectl(t, "create", "token", "fairlead-admin", "--audience", "fairlead", "--duration", "3h")},
	}
	must(t, http.MethodPost, a.api, a.admin, jsonContent, fmt.Sprintf(`{"metadata":{"name":%q}}`, a.name))
	t.Cleanup(func() { _, _, _ = send(http.MethodDelete, a.api+"/"+a.name, a.admin, nil, "") })
	return a
}

// device makes a device.
func (a *tenant) device(t testing.TB, name, spec string) {
	t.Helper()
	if err := a.makeDevice(name, spec); err != nil {
		t.Fatal(err)
	}
}

func (a *tenant) makeDevice(name, spec string) error {
	status, answer, err := a.postDevice(name, spec)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("making the device %s: %d %s", name, status, answer)
	}
	return err
}

// offerDevice makes a device if the registry is there. One whose answer was lost is there already.
func (a *tenant) offerDevice(name, spec string) (done bool, err error) {
	status, answer, err := a.postDevice(name, spec)
	switch {
	case err != nil || status/100 == 5:
		return false, nil
	case status == http.StatusCreated || status == http.StatusConflict:
		return true, nil
	default:
		return false, fmt.Errorf("making the device %s: %d %s", name, status, answer)
	}
}

func (a *tenant) postDevice(name, spec string) (status int, answer string, err error) {
	return send(http.MethodPost, a.api+"/"+a.name+"/devices", a.admin, jsonContent,
		fmt.Sprintf(`{"metadata":{"application":%q,"name":%q},"spec":%s}`, a.name, name, spec))
}

const password = "hey-rodney"

// credentials are what a device with the password has.
const credentials = `{"authentication":{"credentials":[{"pass":"` + password + `"}]}}`

// topic is the one in Kafka with its events.
func (a *tenant) topic() string { return "events-" + a.name }

// as is the log-in of a device.
func (a *tenant) as(device string) login { return login{device + "@" + a.name, password} }

// condition is the status of a condition of the application, and why.
func (a *tenant) condition(t testing.TB, kind string) (status, why string) {
	t.Helper()
	var document struct {
		Status struct {
			Conditions []struct{ Type, Status, Reason, Message string }
		}
	}
	answer := must(t, http.MethodGet, a.api+"/"+a.name, a.admin, nil, "")
	if err := json.Unmarshal([]byte(answer), &document); err != nil {
		t.Fatal(err)
	}
	for _, c := range document.Status.Conditions {
		if c.Type == kind {
			return c.Status, c.Reason + ": " + c.Message
		}
	}
	return "", "there is no condition " + kind
}

// ready waits until the application has what it needs.
func (a *tenant) ready(t testing.TB) time.Duration {
	t.Helper()
	return eventually(t, "the condition Ready of "+a.name, "fairlead app get "+a.name+" -o yaml, and the log of fairlead-provision", func() bool {
		status, _ := a.condition(t, "Ready")
		return status == "True"
	})
}

// An event is what the receiver was given; see test/cluster/receiver.
type event struct {
	ID, Type, Application, Device, Subject string
	User, Password                         string
	Data                                   string
}

// received is everything that the receiver was given.
func received(t testing.TB) (all []event) {
	t.Helper()
	answer := must(t, http.MethodGet, address(t, "receiver")+"/events", login{}, nil, "")
	if err := json.Unmarshal([]byte(answer), &all); err != nil {
		t.Fatal(err)
	}
	return all
}
