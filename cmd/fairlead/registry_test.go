package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/devcloud"
	"github.com/fairlead/fairlead/test/neighbour"
)

// A shell runs command lines against a running fairlead dev, with contexts of its own.
type shell struct {
	t      *testing.T
	note   devcloud.Note
	config string
}

// do runs a command line that must succeed, and gives what it prints.
func (s *shell) do(arguments ...string) (out, errors string) {
	s.t.Helper()
	status, out, errors := s.run("", arguments...)
	if status != 0 {
		s.t.Fatalf("fairlead %s: status %d, %s", strings.Join(arguments, " "), status, errors)
	}
	return out, errors
}

// fails runs a command line that must fail and say something.
func (s *shell) fails(want string, arguments ...string) {
	s.t.Helper()
	if status, out, errors := s.run("", arguments...); status == 0 || !strings.Contains(errors, want) {
		s.t.Errorf("fairlead %s: status %d, %q, %q; want an error with %q", strings.Join(arguments, " "), status, out, errors, want)
	}
}

// prints runs a command line that must print something, in lines.
func (s *shell) prints(want string, arguments ...string) {
	s.t.Helper()
	if out, _ := s.do(arguments...); out != want {
		s.t.Errorf("fairlead %s:\n%s\nwant:\n%s", strings.Join(arguments, " "), out, want)
	}
}

func (s *shell) run(stdin string, arguments ...string) (status int, out, errors string) {
	var o, e log
	if arguments[0] != "__complete" && arguments[0] != "completion" {
		arguments = append(arguments, "--config", s.config)
	}
	status = run(s.t.Context(), "fairlead", arguments, terminal{out: &o, err: &e, in: strings.NewReader(stdin)})
	return status, o.String(), e.String()
}

// development starts fairlead dev for a test, and logs in with the access token of dev.json.
func development(t *testing.T) *shell {
	t.Helper()
	data := t.TempDir()
	ctx, interrupt := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var errors log
	running.Go(func() {
		run(ctx, "fairlead", onFreePorts(data), terminal{out: io.Discard, err: &errors})
	})
	t.Cleanup(func() {
		interrupt()
		running.Wait()
	})
	s := &shell{t: t, note: note(t, data, os.Getpid()), config: filepath.Join(t.TempDir(), "deep", "contexts.yaml")}
	if _, e := s.do("login", s.note.API, "--context", "dev", "--access-token", s.note.Account.AccessToken); !strings.Contains(e, "as dev, context dev") {
		t.Errorf("login says %q", e)
	}
	s.do("context", "set-app", "example-app")
	return s
}

func TestRegistryCommands(t *testing.T) {
	s := development(t)
	t.Run("applications", func(t *testing.T) { s.t = t; applications(s) })
	t.Run("devices", func(t *testing.T) { s.t = t; devices(s) })
	t.Run("credentials", func(t *testing.T) { s.t = t; credentials(s) })
	t.Run("edit", func(t *testing.T) { s.t = t; editing(s) })
	t.Run("trust", func(t *testing.T) { s.t = t; trusting(s) })
	t.Run("labels", func(t *testing.T) { s.t = t; labelling(s) })
	t.Run("endpoints", func(t *testing.T) { s.t = t; endpointsOf(s) })
	t.Run("fleet", func(t *testing.T) { s.t = t; applyingAFleet(s) })
	t.Run("exports", func(t *testing.T) { s.t = t; applyingExports(s) })
	t.Run("apply", func(t *testing.T) { s.t = t; applying(s) })
	t.Run("tokens", func(t *testing.T) { s.t = t; accessTokens(s) })
	t.Run("members", func(t *testing.T) { s.t = t; membersOf(s) })
	t.Run("completion", func(t *testing.T) { s.t = t; completing(s) })
	t.Run("contexts", func(t *testing.T) { s.t = t; contextsOf(s) })
}

// withoutAge takes the times out of plain lines: they are the last fields.
func withoutAge(out string) string {
	return regexp.MustCompile(`\t\d{4}-\d\d-\d\dT[\d:]+Z\n`).ReplaceAllString(out, "\n")
}

func applications(s *shell) {
	s.do("app", "create", "shop", "--label", "kind=test,floor=2")
	s.do("app", "create", "attic", "--spec", "core: {disabled: true}")
	out, _ := s.do("app", "list")
	if want := "attic\tdisabled\t\nexample-app\tenabled\t\nshop\tenabled\tfloor=2,kind=test\n"; withoutAge(out) != want {
		s.t.Errorf("%q, want %q", withoutAge(out), want)
	}
	out, _ = s.do("app", "list", "-l", "kind=test", "-o", "table")
	if !strings.HasPrefix(out, "NAME  STATE    LABELS             AGE\nshop  enabled  floor=2,kind=test  ") || strings.Contains(out, "\x1b") {
		s.t.Errorf("%q", out)
	}
	out, _ = s.do("app", "list", "--limit", "1", "--offset", "1", "-o", "json")
	var list []struct{ Metadata struct{ Name string } }
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 || list[0].Metadata.Name != "example-app" {
		s.t.Errorf("%s, %v", out, err)
	}
	s.prints("[]\n", "app", "list", "-l", "kind=none", "-o", "json")
	if out, _ := s.do("app", "get", "attic"); !strings.Contains(out, "spec:\n  core:\n    disabled: true\n") {
		s.t.Error(out)
	}
	if out, _ := s.do("app", "get", "attic", "-o", "json"); !json.Valid([]byte(out)) {
		s.t.Error(out)
	}
	s.fails("application shop: Conflict", "app", "create", "shop")
	s.fails("application nowhere: not found", "app", "get", "nowhere")
	s.fails("metadata.name", "app", "create", "Shop!")
	s.fails("--selector", "app", "list", "-l", "a in")
	s.fails("not negative", "app", "list", "--limit=-1")
	_, e := s.do("app", "delete", "attic", "nowhere", "--ignore-missing", "--yes")
	if e != "application attic deleted\n" {
		s.t.Error(e)
	}
	s.fails("application nowhere: Not found", "app", "delete", "nowhere")
	s.fails("would delete application shop with 0 devices and application example-app with 3 devices, and there is no terminal", "app", "delete", "shop", "nowhere", "example-app")
	s.do("app", "get", "shop")

	s.fails("does not exist", "app", "transfer", "shop", "--to", "nobody")
	if _, e := s.do("app", "transfer", "shop"); !strings.Contains(e, "offered to nobody") {
		s.t.Error(e)
	}
}

func devices(s *shell) {
	s.do("device", "create", "a b/ü", "--app", "shop", "-l", "room=1")
	file := filepath.Join(s.t.TempDir(), "d.yaml")
	if err := os.WriteFile(file, []byte("kind: Device\nspec: {gatewaySelector: {matchNames: [g1, g2]}, mine: 12345678901234567890123}\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.do("device", "create", "d2", "-a", "shop", "-f", file)
	out, _ := s.do("device", "list", "-a", "shop")
	if want := "a b/ü\tenabled\t\troom=1\nd2\tenabled\tg1,g2\t\n"; withoutAge(out) != want {
		s.t.Errorf("%q, want %q", withoutAge(out), want)
	}
	if out, _ := s.do("device", "get", "a b/ü", "-a", "shop", "-o", "json"); !strings.Contains(out, `"name": "a b/ü"`) {
		s.t.Error(out)
	}
	status, _, e := s.run(`{"spec":{"alias":["x"]}}`, "device", "create", "d3", "-a", "shop", "-f", "-")
	if status != 0 {
		s.t.Error(e)
	}
	s.fails("Conflict", "device", "create", "x", "-a", "shop")
	s.fails("device nope: not found", "device", "get", "nope", "-a", "shop")
	s.fails("application nowhere", "device", "list", "-a", "nowhere")
	s.do("device", "delete", "d3", "d2", "a b/ü", "-a", "shop")
	s.prints("", "device", "list", "-a", "shop")
}

// credentials are tried out where they are for: at the door for devices.
func credentials(s *shell) {
	s.do("device", "create", "sensor")
	login := func(user, password string, want int) {
		s.t.Helper()
		request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.note.HTTP+"/v1/x", strings.NewReader(`{}`))
		if err != nil {
			s.t.Fatal(err)
		}
		request.SetBasicAuth(user+"@example-app", password)
		request.Header.Set("Content-Type", "application/json")
		neighbour.Eventually(s.t, fmt.Sprintf("status %d for %s", want, user), func() bool {
			response, err := http.DefaultClient.Do(request.Clone(s.t.Context()))
			if err != nil {
				return false
			}
			_ = response.Body.Close()
			request.Body = io.NopCloser(strings.NewReader(`{}`))
			return response.StatusCode == want
		})
	}
	drawn, hint := s.do("set", "password", "sensor")
	drawn = strings.TrimSpace(drawn)
	for _, want := range []string{"curl -u sensor@example-app:" + drawn + " ", s.note.HTTP + "/v1/telemetry\n", "mosquitto_pub -h 127.0.0.1 -p ", " -P " + drawn + " "} {
		if !strings.Contains(hint, want) {
			s.t.Errorf("%q, want %q in it", hint, want)
		}
	}
	login("sensor", drawn, 202)
	if out, _ := s.do("device", "get", "sensor"); strings.Contains(out, drawn) || strings.Count(out, "bcrypt") != 1 {
		s.t.Error(out)
	}
	if status, out, e := s.run("from-stdin\n", "set", "password", "sensor", "-"); status != 0 || out != "" || strings.Contains(e, "from-stdin") {
		s.t.Errorf("%d %q %s", status, out, e)
	}
	login("sensor", "from-stdin", 202)
	login("sensor", drawn, 403)
	s.do("set", "password", "sensor", "in-the-open", "--plain")
	s.do("set", "password", "sensor", "of-ada", "--username", "ada", "--unique")
	login("sensor", "in-the-open", 202)
	login("ada", "in-the-open", 202) // the user name has become a name of the device
	s.do("set", "alias", "sensor", "eui-1")
	login("eui-1", "in-the-open", 202)
	s.do("set", "alias", "sensor", "eui-1", "--remove")
	login("eui-1", "in-the-open", 403)
	s.do("set", "gateway", "sensor", "ttn-gateway")
	s.do("set", "gateway", "sensor", "ttn-gateway")
	if out, _ := s.do("device", "list", "-l", "!x"); !strings.Contains(out, "sensor\tenabled\tttn-gateway\t") {
		s.t.Error(out)
	}
	s.do("set", "gateway", "sensor", "ttn-gateway", "--remove")

	generated, _ := s.do("set", "password", "sensor", "--generate")
	generated = strings.TrimSpace(generated)
	login("sensor", generated, 202)
	login("sensor", "in-the-open", 403)
	if out, _ := s.do("device", "get", "sensor"); strings.Contains(out, generated) || strings.Count(out, "sha256:") != 1 {
		s.t.Error(out)
	}
	s.fails("give none", "set", "password", "sensor", "x", "--generate")
	s.fails("--plain", "set", "password", "sensor", "--generate", "--plain")

	key, hint := s.do("set", "psk", "sensor", "--generate")
	if text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key)); err != nil || len(text) < 26 || !strings.Contains(hint, " -m post -u sensor@example-app -k "+string(text)+" ") ||
		!strings.Contains(hint, " "+s.note.COAPS+"/v1/telemetry\n") {
		s.t.Errorf("%q, %v, %q; want 130 bits, and a command line that uses them", key, err, hint)
	}
	s.do("set", "psk", "sensor", strings.TrimSpace(key), "--for", "24h")
	s.do("set", "psk", "sensor", "AAECAw==", "--append")
	out, _ := s.do("device", "get", "sensor")
	if strings.Count(out, "psk:") != 3 || strings.Count(out, "notAfter:") != 1 || !strings.Contains(out, "key: AAECAw==") {
		s.t.Error(out)
	}
	s.fails("base64", "set", "psk", "sensor", "no base64")
	s.fails("give none", "set", "psk", "sensor", "AAECAw==", "--generate")
	s.fails("needs --username", "set", "password", "sensor", "x", "--unique")
	s.fails("at most 72 bytes", "set", "password", "sensor", strings.Repeat("x", 73))
	s.fails("device nope: not found", "set", "password", "nope")
	s.fails("standard input has no line", "set", "password", "sensor", "-")
}

// editor makes a program that edits a file with sed.
func editor(t *testing.T, script string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "my editor")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VISUAL", name)
}

func editing(s *shell) {
	s.do("device", "create", "edited", "--spec", `{"mine":{"long":12345678901234567890123,"n":1}}`)
	editor(s.t, `sed -i 's/"n": 1/"n": 2/' "$1"`)
	s.do("device", "edit", "edited")
	if out, _ := s.do("device", "get", "edited", "-o", "json"); !strings.Contains(out, `"n": 2`) || !strings.Contains(out, "12345678901234567890123") {
		s.t.Error(out)
	}
	editor(s.t, `sed -i 's/name: shop/name: shop\n  labels: {edited: "yes"}/; /^  labels:$/,/^  name/{/^  name/!d}' "$1"`)
	s.do("app", "edit", "shop")
	if out, _ := s.do("app", "list", "-l", "edited=yes", "-o", "plain"); !strings.HasPrefix(out, "shop\t") {
		s.t.Error(out)
	}
	s.t.Setenv("EDITOR", "touch")
	s.t.Setenv("VISUAL", " ")
	s.do("app", "edit", "shop")
	editor(s.t, `exit 0`)
	if _, e := s.do("app", "edit", "shop"); !strings.Contains(e, "nothing was changed") {
		s.t.Error(e)
	}
	editor(s.t, `exit 3`)
	s.fails("nothing was changed", "app", "edit", "shop")
	s.t.Setenv("TMPDIR", s.t.TempDir())
	editor(s.t, `sed -i 's/resourceVersion: .*/resourceVersion: another/; s/^metadata:/# mine\nmetadata:/' "$1"`)
	s.fails("somebody else has changed it meanwhile", "app", "edit", "shop")
	editor(s.t, `echo ': no' >> "$1"`)
	s.fails("what you wrote is in ", "app", "edit", "shop")
	kept, err := filepath.Glob(filepath.Join(os.TempDir(), "fairlead-*.yaml"))
	if err != nil || len(kept) != 2 {
		s.t.Errorf("%v, %v; want what was written kept, twice", kept, err)
	}
}

func applying(s *shell) {
	file := filepath.Join(s.t.TempDir(), "f.yaml")
	write := func(text string) {
		s.t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	write("metadata: {name: house}\nspec: {mine: {a: 1}}\n---\nmetadata: {application: house, name: d}\n---\nkind: Device\nmetadata: {application: shop, name: d}\n")
	apply := func(want ...string) {
		s.t.Helper()
		if _, e := s.do("apply", "-f", file); results(e) != strings.Join(want, "\n") {
			s.t.Errorf("%q, want %q", results(e), want)
		}
	}
	apply("application house created", "device house/d created", "device shop/d created")
	apply("application house unchanged", "device house/d unchanged", "device shop/d unchanged")
	s.do("set", "alias", "d", "other", "-a", "house")
	apply("application house unchanged", "device house/d changed", "device shop/d unchanged")
	write("metadata: {name: house, labels: {a: b}}\nspec: {mine: {a: 1}}\n")
	apply("application house changed")

	// What a list prints may be applied.
	exported, _ := s.do("device", "list", "-a", "house", "-o", "yaml")
	if status, _, e := s.run(exported, "apply", "-f", "-"); status != 0 || results(e) != "device house/d unchanged" {
		s.t.Errorf("%d %s", status, e)
	}
	write("metadata: {application: nowhere, name: d}\n---\nmetadata: {name: house}\n")
	status, _, e := s.run("", "apply", "-f", file)
	if status != 1 || !strings.Contains(e, "application house changed\n") || !strings.Contains(e, "device nowhere/d: ") {
		s.t.Errorf("%d %s", status, e)
	}
	write("metadata: {name: house, more: 1}\n")
	s.fails("f.yaml:1: ", "apply", "-f", file)
	s.fails("no-such-file", "apply", "-f", "no-such-file.yaml")
}
