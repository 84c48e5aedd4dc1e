package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/cloud"
)

// results are the lines about resources that apply prints, in order.
func results(e string) string {
	var lines []string
	for line := range strings.Lines(e) {
		if strings.HasPrefix(line, "application ") || strings.HasPrefix(line, "device ") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// files writes files into a new folder.
func (s *shell) files(all map[string]string) (folder string) {
	s.t.Helper()
	folder = s.t.TempDir()
	for name, text := range all {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return folder
}

// says runs a command line and wants a status and parts of what it says.
func (s *shell) says(wantStatus int, wants []string, arguments ...string) (e string) {
	s.t.Helper()
	status, out, e := s.run("", arguments...)
	if status != wantStatus {
		s.t.Errorf("fairlead %q: status %d, want %d, %s", arguments, status, wantStatus, e)
	}
	for _, want := range wants {
		if !strings.Contains(out+e, want) {
			s.t.Errorf("fairlead %q: %q, want %q in it", arguments, out+e, want)
		}
	}
	return e
}

const fleetSize = 300

// fleet has the devices before their application, in several forms.
func fleet() map[string]string {
	var sequence, array strings.Builder
	for i := range fleetSize {
		fmt.Fprintf(&sequence, "- metadata: {application: fleet, name: a%d}\n", i)
		separator := ","
		if i == 0 {
			separator = "["
		}
		fmt.Fprintf(&array, "%s\n{\"metadata\":{\"application\":\"fleet\",\"name\":\"b%d\"}}", separator, i)
	}
	return map[string]string{
		"a/sequence.yml":    sequence.String(),
		"b/array.JSON":      array.String() + "]",
		"z.yaml":            "metadata: {name: fleet}\n---\nmetadata: {application: fleet, name: c}\n",
		".hidden/a.yaml":    "no: document\n",
		".a.yaml":           "no: document\n",
		"README.md":         "no document\n",
		"b/more/empty.yaml": "# nothing\n",
	}
}

func applyingAFleet(s *shell) {
	folder := s.files(fleet())
	all := fmt.Sprint(2*fleetSize + 2)
	s.says(0, []string{all + " would be created, 0 unchanged"}, "apply", "-f", folder, "--dry-run")
	s.fails("not found", "app", "get", "fleet")
	e := s.says(0, []string{all + " created, 0 unchanged", "--verbose shows them all"}, "apply", "-f", folder)
	if n := strings.Count(e, "\n"); n > maxResultLines+5 {
		s.t.Errorf("%d lines for many resources", n)
	}
	s.says(0, []string{"0 created, " + all + " unchanged"}, "apply", "-f", folder, "-f", filepath.Join(folder, "z.yaml"), "--parallel", "3")
	if e := s.says(0, nil, "apply", "-f", folder, "--verbose"); strings.Count(e, " unchanged\n") != 2*fleetSize+2 {
		s.t.Error(e)
	}

	// What is in no file any longer goes, and nothing else.
	s.do("device", "create", "surplus", "-a", "fleet")
	s.do("device", "create", "surplus", "-a", "shop")
	s.fails("no terminal to ask on", "apply", "-f", folder, "--prune")
	s.says(0, []string{"device fleet/surplus would be deleted", "1 would be deleted"}, "apply", "-f", folder, "--prune", "--dry-run")
	bad := s.files(map[string]string{"a.yaml": "metadata: {application: fleet, name: c, more: 1}\n"})
	s.says(1, []string{"nothing was pruned, since something failed"}, "apply", "-f", bad, "-f", folder, "--prune", "--yes")
	s.do("device", "get", "surplus", "-a", "fleet")
	s.says(0, []string{"device fleet/surplus deleted", "1 deleted"}, "apply", "-f", folder, "--prune", "--yes")
	s.fails("not found", "device", "get", "surplus", "-a", "fleet")
	s.do("device", "get", "surplus", "-a", "shop")
	s.do("device", "delete", "surplus", "-a", "shop")
	if out, _ := s.do("device", "list", "-a", "fleet"); strings.Count(out, "\n") != 2*fleetSize+1 {
		s.t.Errorf("%d devices are left", strings.Count(out, "\n"))
	}
	s.do("app", "delete", "fleet", "--yes")

	// What fails is told by kinds, with its place; the rest is done.
	s.do("app", "create", "fleet2")
	s.do("device", "create", "taken", "-a", "fleet2")
	bad = s.files(map[string]string{
		"a.yaml": "metadata: {name: fleet2}\n---\nmetadata: {name: Bad!}\n---\nmetadata: {application: fleet2, name: d}\n---\nmetadata: {application: fleet2, name: d}\n---\nkind: [\n",
		"b.json": "{\"metadata\":{\"application\":\"nowhere\",\"name\":\"d\"}}\n{\"metadata\":{\"application\":\"fleet2\",\"name\":\"e\"},\"spec\":{\"alias\":[\"taken\"]}}\n{\"metadata\":",
	})
	s.says(1, []string{
		"1 created, 1 unchanged, 6 failed in ", "3 cannot be used as they stand in the file:\n", "a.yaml:3: ", "a.yaml:9: ", "b.json:3: the file ends in the middle",
		"1 are there twice:\n", "a.yaml:7: device fleet2/d: ", "1 have no application:\n", "b.json:1: device nowhere/d: ", "1 are in conflict", "b.json:2: device fleet2/e: Conflict",
	}, "apply", "-f", bad)
	s.do("app", "delete", "fleet2", "--yes")
	s.fails("has no *.yaml", "apply", "-f", s.t.TempDir())
	s.fails("--parallel", "apply", "-f", folder, "--parallel", "0")
}

// What lists print, here and at Drogue Cloud, is read as it is. What belongs to the registry that printed it stays there.
func applyingExports(s *shell) {
	const device = `{"metadata":{"application":"moved","name":"%s","uid":"4e185ea6-7c26-11eb-a319-d45d6455d210","creationTimestamp":"2021-03-03T15:00:00Z","generation":3,` +
		`"resourceVersion":"4e185ea6-7c26-11eb-a319-d45d6455d211","finalizers":["ttn"],"labels":{"room":"1"}},"spec":{"authentication":{"credentials":[{"pass":{"sha512":"$6$x$yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"}}]}},"status":{"conditions":[]}}`
	application := `{"metadata":{"name":"moved","uid":"4e185ea6-7c26-11eb-a319-d45d6455d212","creationTimestamp":"2021-03-03T15:00:00Z","finalizers":["kafka"]},"status":{"kafka":{}}}`
	for form, text := range map[string]string{
		"array":  "[" + application + ", " + fmt.Sprintf(device, "a") + ",\n" + fmt.Sprintf(device, "b") + "]",
		"items":  `{"apiVersion":"v1","kind":"List","items":[` + application + "," + fmt.Sprintf(device, "a") + "," + fmt.Sprintf(device, "b") + `]}`,
		"stream": application + fmt.Sprintf(device, "a") + fmt.Sprintf(device, "b"),
		"mixed":  application + "\n---\n- " + fmt.Sprintf(device, "a") + "\n- " + fmt.Sprintf(device, "b") + "\n",
	} {
		status, _, e := s.run(text, "apply", "-f", "-")
		if status != 0 || results(e) != "application moved created\ndevice moved/a created\ndevice moved/b created" {
			s.t.Errorf("%s: %d %s", form, status, e)
		}
		if out, _ := s.do("device", "get", "a", "-a", "moved"); strings.Contains(out, "finalizers") || strings.Contains(out, "status") || !strings.Contains(out, "sha512") {
			s.t.Error(out)
		}
		for _, export := range []string{"json", "yaml"} {
			exported, _ := s.do("device", "list", "-a", "moved", "-o", export)
			if status, _, e := s.run(exported, "apply", "-f", "-"); status != 0 || results(e) != "device moved/a unchanged\ndevice moved/b unchanged" {
				s.t.Errorf("%s: %d %s", export, status, e)
			}
		}
		s.do("app", "delete", "moved", "--yes")
		s.fails("not found", "app", "get", "moved")
	}
}

func labelling(s *shell) {
	s.do("label", "device", "device1", "room=kitchen", "floor=2", "note=a=b")
	if out, _ := s.do("device", "list", "-l", "room=kitchen,floor=2,note"); !strings.HasPrefix(out, "device1\t") {
		s.t.Error(out)
	}
	if _, e := s.do("label", "device", "device1", "room=kitchen", "none-"); e != "device device1 unchanged\n" {
		s.t.Error(e)
	}
	s.fails("label floor is 2 already", "label", "device", "device1", "room=cellar", "floor=1")
	s.do("label", "device", "device1", "room=cellar", "floor-", "note-", "--overwrite")
	if out, _ := s.do("device", "list", "-l", "room=cellar,!floor"); !strings.Contains(out, "\troom=cellar\t") {
		s.t.Error(out)
	}
	s.do("label", "app", "shop", "team=a")
	if out, _ := s.do("app", "list", "-l", "team=a"); !strings.HasPrefix(out, "shop\t") {
		s.t.Error(out)
	}
	for _, bad := range [][]string{{"room"}, {"=x"}, {"-"}, {"a=1", "a-"}} {
		s.says(1, nil, append([]string{"label", "app", "shop", "--"}, bad...)...)
	}
	s.fails("application nowhere: ", "label", "app", "nowhere", "a=b")
}

func endpointsOf(s *shell) {
	s.says(0, []string{"http\t" + s.note.HTTP + "\t", "api\t" + s.note.API + "\t", "mqtt\t127.0.0.1:", "issuer\t", "kafka\t"}, "endpoints")
	s.says(0, []string{"ENDPOINT  ", "http                   " + s.note.HTTP + " "}, "endpoints", s.note.API, "-o", "table")
	out, _ := s.do("endpoints", "-o", "json")
	var document struct{ HTTP struct{ URL string } }
	if err := json.Unmarshal([]byte(out), &document); err != nil || document.HTTP.URL != s.note.HTTP {
		s.t.Errorf("%s, %v", out, err)
	}
	s.fails("Is it the right port?", "endpoints", s.note.HTTP)
}

// A fakeRegistry takes devices, and answers as a test wants.
type fakeRegistry struct {
	*httptest.Server
	answer func(w http.ResponseWriter, r *http.Request, n int64) bool // whether it has answered
	calls  atomic.Int64
	made   sync.Map
}

func newFakeRegistry(t *testing.T) (*fakeRegistry, *shell) {
	f := &fakeRegistry{answer: func(http.ResponseWriter, *http.Request, int64) bool { return false }}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/whoami") {
			_, _ = w.Write([]byte(`{"id":"me"}`))
			return
		}
		if f.answer(w, r, f.calls.Add(1)) {
			return
		}
		var device struct{ Metadata struct{ Name string } }
		switch {
		case r.Method == http.MethodPost:
			if json.NewDecoder(r.Body).Decode(&device) != nil {
				w.WriteHeader(http.StatusBadRequest)
			}
			if _, there := f.made.LoadOrStore(device.Metadata.Name, true); there {
				w.WriteHeader(http.StatusConflict)
			}
		case strings.HasSuffix(r.URL.Path, "/apps/app"):
			_, _ = w.Write([]byte(`{"metadata":{"name":"app"}}`))
		default:
			if _, there := f.made.Load(path.Base(r.URL.Path)); !there {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			_, _ = fmt.Fprintf(w, `{"metadata":{"application":"app","name":%q}}`, path.Base(r.URL.Path))
		}
	}))
	t.Cleanup(f.Close)
	s := &shell{t: t, config: filepath.Join(t.TempDir(), "contexts.yaml")}
	contexts, err := cloud.LoadContexts(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := contexts.Put("fake", &cloud.Context{URL: f.URL, AccessToken: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := contexts.Save(); err != nil {
		t.Fatal(err)
	}
	return f, s
}

func manyDevices(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\nmetadata: {application: app, name: d%d}\n", i)
	}
	return b.String()
}

func TestApplyGoesOnWhereARegistryIsOverloaded(t *testing.T) {
	f, s := newFakeRegistry(t)
	f.answer = func(w http.ResponseWriter, _ *http.Request, n int64) bool {
		switch n % 5 {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3:
			panic(http.ErrAbortHandler) // and the connection is lost
		default:
			return false
		}
		return true
	}
	folder := s.files(map[string]string{"a.yaml": manyDevices(40)})
	s.says(0, []string{"40 created, 0 unchanged in"}, "apply", "-f", folder)
	s.says(0, []string{"0 created, 40 unchanged in"}, "apply", "-f", folder)
}

func TestApplyGivesUp(t *testing.T) {
	f, s := newFakeRegistry(t)
	f.answer = func(w http.ResponseWriter, _ *http.Request, n int64) bool {
		if n > 30 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return n > 30
	}
	folder := s.files(map[string]string{"a.yaml": manyDevices(1000)})
	s.says(1, []string{"were answered with 503:\n", "run the same command again"}, "apply", "-f", folder, "--retry-for", "300ms")
	if n := f.calls.Load(); n > 200 {
		t.Errorf("%d calls of a registry that is away", n)
	}
	f.answer = func(w http.ResponseWriter, _ *http.Request, _ int64) bool {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	f.calls.Store(0)
	s.says(1, []string{"log in with a new one"}, "apply", "-f", folder)
	if n := f.calls.Load(); n > 100 {
		t.Errorf("%d calls by somebody who is logged out", n)
	}
}

// An interrupt ends it between two resources: what was under way is done, and counted.
func TestApplyStops(t *testing.T) {
	f, s := newFakeRegistry(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	folder := s.files(map[string]string{"a.yaml": manyDevices(10_000), "z.yaml": "metadata: {name: other}"})
	f.answer = func(_ http.ResponseWriter, _ *http.Request, n int64) bool {
		if n == 100 { // whoever goes on reading misses a file
			if err := os.Remove(filepath.Join(folder, "z.yaml")); err != nil {
				t.Error(err)
			}
			interrupt()
		}
		return false
	}
	arguments := []string{"apply", "-f", folder, "--config", s.config}
	var out, e log
	if status := run(ctx, "fairlead", arguments, terminal{out: &out, err: &e, in: strings.NewReader("")}); status != 1 {
		t.Errorf("status %d", status)
	}
	made := 0
	f.made.Range(func(any, any) bool { made++; return true })
	want := fmt.Sprintf("\n%s created, 0 unchanged in ", grouped(made))
	if made == 0 || made == 10_000 || strings.Contains(e.String(), "failed") || !strings.Contains(e.String(), want) || !strings.Contains(e.String(), "stopped before the end. Run the same command again") {
		t.Errorf("%d made, %s; want %q", made, e.String(), want)
	}
	s.says(0, []string{fmt.Sprintf("%s created, %s unchanged in", grouped(10_000-made), grouped(made))}, "apply", "-f", folder)
}

func TestProgress(t *testing.T) {
	began := time.Unix(1_000_000, 0)
	var out log
	p := newProgress(&out, began)
	for second := range 25 {
		p.show(moment{at: began.Add(time.Duration(second+1) * time.Second), count: 1234 * (second + 1), part: float64(second+1) / 100}, "")
	}
	if want := "10 %, 12,340 done, 1,234/s, 1 min 30 s left\n20 %, 24,680 done, 1,234/s, 1 min 20 s left\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	f := func(part float64, text string, width int, want string) {
		t.Helper()
		if got := bar(part, text, width); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(0.5, "x", 80, "[###############...............]  50 %  x")
	f(1, "x", 21, "[##########] 100 %  x")
	f(0, "text", 18, "  0 %  text")
	f(0, "text", 9, "  0 %  te")
	f(0, "text", -1, "")
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	if got := remaining(25*time.Hour + 61*time.Second); got != "25 h 1 min" {
		t.Error(got)
	}
}
