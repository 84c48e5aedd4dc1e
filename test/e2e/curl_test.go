//go:build integration

package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// longestRequest bounds a request of curl, in seconds. It is above the longest wait for a command.
const longestRequest = "90"

// An answer is what curl got. Its status is 0 if there was none.
type answer struct {
	status int
	header http.Header
	body   string
}

// curl runs the real curl. The last argument is the URL; body, if not nil, is sent from standard input.
func curl(t *testing.T, body []byte, arguments ...string) answer {
	t.Helper()
	command, output := curlCommand(t, body, arguments...)
	report, err := command.Output()
	if err != nil && len(report) == 0 {
		t.Fatalf("curl %s: %v", strings.Join(arguments, " "), err)
	}
	return readAnswer(t, report, output)
}

// curlCommand prepares curl, and names the file that the body of the answer goes to.
func curlCommand(t *testing.T, body []byte, arguments ...string) (command *exec.Cmd, output string) {
	t.Helper()
	output = filepath.Join(t.TempDir(), "body")
	all := []string{"--silent", "--noproxy", "*", "--max-time", longestRequest, "--output", output, "--write-out", "%{http_code} %{header_json}"}
	if body != nil {
		all = append(all, "--data-binary", "@-")
	}
	command = exec.CommandContext(t.Context(), "curl", append(all, arguments...)...)
	command.Stdin = bytes.NewReader(body)
	command.WaitDelay = time.Second
	return command, output
}

func readAnswer(t *testing.T, report []byte, output string) answer {
	t.Helper()
	status, headers, _ := strings.Cut(string(report), " ")
	var a answer
	var err error
	if a.status, err = strconv.Atoi(status); err != nil {
		t.Fatalf("curl reports %q: %v", report, err)
	}
	if a.status == 0 {
		return a
	}
	byName := make(map[string][]string)
	if err := json.Unmarshal([]byte(headers), &byName); err != nil {
		t.Fatalf("curl reports headers %q: %v", headers, err)
	}
	a.header = make(http.Header)
	for name, values := range byName {
		a.header[http.CanonicalHeaderKey(name)] = values
	}
	content, err := os.ReadFile(output)
	if err != nil && !os.IsNotExist(err) { // curl makes no file for an empty body
		t.Fatal(err)
	}
	a.body = string(content)
	return a
}

// post sends a body as a device with these credentials, "user:password".
func post(t *testing.T, url, credentials, body string, arguments ...string) answer {
	t.Helper()
	return curl(t, []byte(body), append(append([]string{"--user", credentials}, arguments...), url)...)
}

// mediaType is the argument for a Content-Type; "" sends none.
func mediaType(value string) []string {
	return []string{"--header", strings.TrimSpace("Content-Type: " + value)}
}

// accepted fails the test unless a message was stored.
func accepted(t *testing.T, what string, a answer) {
	t.Helper()
	if a.status != http.StatusAccepted || a.body != "" {
		t.Errorf("%s: %d %q, want 202 without a body", what, a.status, a.body)
	}
}

// The documents of refusals that say nothing more.
const (
	notAdmitted       = `{"code":403,"error":"AuthenticationError","message":"Authentication failed"}`
	jsonContent       = "application/json"
	retryAfter        = "Retry-After"
	authenticationOff = "AuthenticationServiceError"
)

// refused fails the test unless an answer is the one refusal of a log-in, in body and headers.
func refused(t *testing.T, what string, a answer) {
	t.Helper()
	header := a.header.Clone()
	header.Del("Date")
	want := http.Header{"Content-Type": {jsonContent}, "Content-Length": {strconv.Itoa(len(notAdmitted))}}
	if a.status != http.StatusForbidden || a.body != notAdmitted {
		t.Errorf("%s: %d %s", what, a.status, a.body)
	}
	if diff := cmp.Diff(want, header); diff != "" {
		t.Errorf("%s: headers (-want +got):\n%s", what, diff)
	}
}

// unavailable fails the test unless an answer asks to try again because of what the document names.
func unavailable(t *testing.T, what string, a answer, name string) {
	t.Helper()
	var document struct {
		Code  int
		Error string
	}
	if err := json.Unmarshal([]byte(a.body), &document); err != nil {
		t.Errorf("%s: %d %q: %v", what, a.status, a.body, err)
		return
	}
	if a.status != http.StatusServiceUnavailable || document.Code != a.status || document.Error != name || a.header.Get(retryAfter) == "" {
		t.Errorf("%s: %d %s %v, want 503 with %s and %s", what, a.status, a.body, a.header, name, retryAfter)
	}
}
