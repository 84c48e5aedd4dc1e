package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/triggers"
)

const good = `apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata:
  name: t
  annotations:
    kafka.eventing.knative.dev/delivery.order: ordered
spec:
  broker: example-app
  filter:
    attributes: {type: io.drogue.event.v1}
  subscriber: {ref: {apiVersion: v1, kind: Service, name: receiver}, uri: /in}
  delivery:
    retry: 3
    backoffPolicy: linear
    backoffDelay: PT1S
    timeout: PT5S
    deadLetterSink: {uri: "http://127.0.0.1:8091/"}
`

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func names(l Loaded) (all []string) {
	for _, s := range l.Subscriptions {
		all = append(all, s.Name+" "+s.Subscriber)
	}
	return all
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", good)
	write(t, dir, ".hidden.yaml", "not: read")
	write(t, dir, "notes.txt", "not read")
	loaded := NewLoader(dir, Targets{"receiver": "http://127.0.0.1:8090/base/"}).Load()
	if len(loaded.Problems) != 0 || len(loaded.Findings) != 0 || len(loaded.Subscriptions) != 1 {
		t.Fatalf("%v %v %v", loaded.Problems, loaded.Findings, loaded.Subscriptions)
	}
	got := loaded.Subscriptions[0]
	want := dispatch.Subscription{
		Name: "default/t", Group: "fairlead-trigger-default.t", Topic: "events-example-app", Application: "example-app",
		Subscriber: "http://127.0.0.1:8090/in", DeadLetter: "http://127.0.0.1:8091/",
		Policy: triggers.Policy{
			Retries: 3, BackoffPolicy: "linear", BackoffDelay: time.Second, Timeout: 5 * time.Second, Ordered: true,
			DeadLetterSink: &triggers.Destination{URI: "http://127.0.0.1:8091/"},
		},
	}
	got.Filter, got.Version = nil, ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBrokenManifestsStopNothing(t *testing.T) {
	f := func(name, broken string, wantKept bool, wantError string) {
		t.Helper()
		dir := t.TempDir()
		l := NewLoader(dir, Targets{"receiver": "http://127.0.0.1:1/"})
		write(t, dir, "other.yaml", strings.Replace(good, "name: t\n", "name: other\n", 1))
		if wantKept {
			write(t, dir, "t.yaml", good)
		}
		before := names(l.Load())
		write(t, dir, "t.yaml", broken)
		after := l.Load()
		if diff := cmp.Diff(before, names(after)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if len(after.Problems) != 1 || !strings.Contains(after.Problems[0].Error(), wantError) {
			t.Errorf("%s: problems %v, want one that says %q", name, after.Problems, wantError)
		}
	}
	for _, kept := range []bool{true, false} {
		f("syntax", "kind: [", kept, "t.yaml")
		f("unknown field", strings.Replace(good, "retry", "retries", 1), kept, "retries")
		f("unknown reference", strings.Replace(good, "name: receiver", "name: nobody", 1), kept, "--ref nobody=")
		f("bad filter", strings.Replace(good, "filter:\n    attributes: {type: io.drogue.event.v1}", "filters: [{cesql: '1 +'}]", 1), kept, "cesql")
		f("bad policy", strings.Replace(good, "PT5S", "5 seconds", 1), kept, "timeout")
		f("bad URL", strings.Replace(good, "http://127.0.0.1:8091/", "nowhere", 1), kept, "dead letter sink")
	}
}

func TestSecondTriggerOfANameIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", good)
	write(t, dir, "b.yaml", good)
	loaded := NewLoader(dir, Targets{"receiver": "http://127.0.0.1:1/"}).Load()
	if len(loaded.Subscriptions) != 1 || len(loaded.Problems) != 1 || !strings.Contains(loaded.Problems[0].Error(), "b.yaml") {
		t.Errorf("%v %v", names(loaded), loaded.Problems)
	}
}

func TestVersionFollowsWhatIsDelivered(t *testing.T) {
	f := func(name, text string, same bool) {
		t.Helper()
		version := func(text string) string {
			dir := t.TempDir()
			write(t, dir, "t.yaml", text)
			loaded := NewLoader(dir, Targets{"receiver": "http://127.0.0.1:1/"}).Load()
			if len(loaded.Problems) > 0 {
				t.Fatal(loaded.Problems)
			}
			return loaded.Subscriptions[0].Version
		}
		if got := version(good) == version(text); got != same {
			t.Errorf("%s: same is %v, want %v", name, got, same)
		}
	}
	f("comment", "# comment\n"+good, true)
	f("label", strings.Replace(good, "  name: t\n", "  name: t\n  labels: {a: b}\n", 1), true)
	f("filter", strings.Replace(good, "io.drogue.event.v1", "other", 1), false)
	f("retry", strings.Replace(good, "retry: 3", "retry: 4", 1), false)
	f("order", strings.Replace(good, "order: ordered", "order: unordered", 1), false)
}

func TestResolve(t *testing.T) {
	targets := Targets{"a": "http://h:1/base/", "other/a": "http://h:2/"}
	f := func(d triggers.Destination, want string) {
		t.Helper()
		got, err := targets.Resolve(&d, "default")
		if (err == nil) != (want != "") || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	f(triggers.Destination{URI: "https://x/"}, "https://x/")
	f(triggers.Destination{}, "")
	f(triggers.Destination{Ref: &triggers.Reference{Name: "a"}}, "http://h:1/base/")
	f(triggers.Destination{Ref: &triggers.Reference{Name: "a"}, URI: "more"}, "http://h:1/base/more")
	f(triggers.Destination{Ref: &triggers.Reference{Name: "a", Namespace: "other"}}, "http://h:2/")
	f(triggers.Destination{Ref: &triggers.Reference{Name: "a"}, URI: "http://elsewhere/"}, "")
	f(triggers.Destination{Ref: &triggers.Reference{Name: "b"}}, "")
}
