package kube_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/kube"
	"github.com/fairlead/fairlead/internal/kube/kubetest"
)

var (
	broker  = kube.Kind{APIVersion: "eventing.knative.dev/v1", Kind: "Broker"}
	trigger = kube.Kind{APIVersion: "eventing.knative.dev/v1", Kind: "Trigger"}
)

func open(t *testing.T, s *kubetest.Server, change func(*kube.Config)) *kube.Client {
	t.Helper()
	c := kube.DefaultConfig()
	c.URL, c.Namespace, c.TokenFile = s.URL, kubetest.Namespace, ""
	if change != nil {
		change(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func object(name string, labels map[string]any, spec map[string]any) kube.Object {
	o := kube.NewObject(broker, name)
	o["metadata"].(map[string]any)["labels"] = labels
	o["spec"] = spec
	return o
}

func TestApply(t *testing.T) {
	s := kubetest.New(t, broker)
	c := open(t, s, nil)
	label := map[string]any{"of": "a"}
	first, err := c.Apply(t.Context(), object("a", label, map[string]any{"x": "1", "y": "2"}))
	if err != nil || first.UID() == "" || first.Text("spec", "y") != "2" {
		t.Fatalf("%v, %v", first, err)
	}
	theirs := maps.Clone(first)
	theirs["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "False", "reason": "R", "message": "m"}}}
	s.Put(theirs)
	second, err := c.Apply(t.Context(), object("a", label, map[string]any{"x": "3"}))
	if err != nil || second.Text("spec", "x") != "3" || second.Field("spec", "y") != nil {
		t.Errorf("%v, %v", second, err)
	}
	if ready, ok := second.Condition("Ready"); !ok || ready != (kube.Condition{Type: "Ready", Status: "False", Reason: "R", Message: "m"}) {
		t.Errorf("the status of somebody else became %+v", ready)
	}
	if second.UID() != first.UID() {
		t.Error("another object")
	}
	read, err := c.Get(t.Context(), broker, "a")
	if err != nil || read.Label("of") != "a" || read.String() != "Broker a" {
		t.Errorf("%v, %v", read, err)
	}
	if _, err := c.Get(t.Context(), broker, "b"); !kube.NotFound(err) {
		t.Errorf("%v", err)
	}
}

func TestList(t *testing.T) {
	s := kubetest.New(t, broker)
	c := open(t, s, nil)
	for i := range 230 {
		s.Put(object(fmt.Sprintf("n%03d", i), map[string]any{"of": "a"}, nil))
	}
	s.Put(object("other", map[string]any{"of": "b"}, nil))
	var names []string
	pages := 0
	err := c.List(t.Context(), broker, "of=a", func(page []kube.Object) error {
		pages++
		for _, o := range page {
			names = append(names, o.Name())
			if o.Kind() != broker {
				t.Fatalf("%v", o)
			}
		}
		return nil
	})
	if err != nil || pages != 3 || len(slices.Compact(slices.Sorted(slices.Values(names)))) != 230 {
		t.Errorf("%d pages, %d names, %v", pages, len(names), err)
	}
	stop := errors.New("enough")
	if err := c.List(t.Context(), broker, "of", func([]kube.Object) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

func TestDelete(t *testing.T) {
	s := kubetest.New(t, broker)
	c := open(t, s, nil)
	old, err := c.Apply(t.Context(), object("a", nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	s.Remove("Broker a")
	if err := c.Delete(t.Context(), old); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
	if _, err := c.Apply(t.Context(), object("a", nil, nil)); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), old); err != nil || len(s.Objects()) != 1 {
		t.Errorf("a later object of the name was deleted, or %v", err)
	}
	now, err := c.Get(t.Context(), broker, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), now); err != nil || len(s.Objects()) != 0 {
		t.Errorf("%v, %v", err, s.Objects())
	}
}

func TestDeleteWithDependents(t *testing.T) {
	s := kubetest.New(t, broker)
	c := open(t, s, nil)
	made, err := c.Apply(t.Context(), object("a", nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteWithDependents(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	there, err := c.Get(t.Context(), broker, "a")
	if err != nil || !there.Deleting() {
		t.Errorf("it does not wait for its dependents: %v, %v", there, err)
	}
}

func TestRefused(t *testing.T) {
	s := kubetest.New(t, broker)
	c := open(t, s, nil)
	f := func(status int, refused bool) {
		t.Helper()
		s.Admit = func(string, kube.Object) (int, string) { return status, "missing field(s): spec.broker" }
		_, err := c.Apply(t.Context(), object("a", nil, nil))
		if err == nil || kube.Refused(err) != refused || !strings.Contains(err.Error(), "Broker a") || !strings.Contains(err.Error(), "spec.broker") {
			t.Errorf("%d: %v", status, err)
		}
	}
	f(http.StatusBadRequest, true)
	f(http.StatusForbidden, true)
	f(http.StatusNotFound, true)
	f(http.StatusUnprocessableEntity, true)
	f(http.StatusUnauthorized, false)
	f(http.StatusConflict, false)
	f(http.StatusGone, false)
	f(http.StatusTooManyRequests, false)
	f(http.StatusInternalServerError, false)
	f(http.StatusServiceUnavailable, false)
	s.Admit = nil
	_, err := c.Apply(t.Context(), kube.NewObject(trigger, "a"))
	if !errors.Is(err, kube.ErrNoKind) || !kube.Refused(err) || !strings.Contains(err.Error(), "Trigger") {
		t.Errorf("an unknown kind: %v", err)
	}
	away := open(t, s, func(c *kube.Config) { c.URL = "http://127.0.0.1:1" })
	if _, err := away.Get(t.Context(), broker, "a"); err == nil || kube.Refused(err) || kube.NotFound(err) {
		t.Errorf("no server: %v", err)
	}
}

func TestToken(t *testing.T) {
	s := kubetest.New(t, broker)
	s.Token = "one"
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	c := open(t, s, func(c *kube.Config) { c.TokenFile = file })
	if _, err := c.Apply(t.Context(), object("a", nil, nil)); err != nil {
		t.Error(err)
	}
	s.Token = "two"
	_, err := c.Get(t.Context(), broker, "a")
	if err == nil || kube.Refused(err) || strings.Contains(err.Error(), "one") {
		t.Errorf("an old token: %v", err)
	}
	write("two")
	if _, err := c.Get(t.Context(), broker, "a"); err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	f := func(change func(*kube.Config), want string) {
		t.Helper()
		c := kube.DefaultConfig()
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(func(*kube.Config) {}, "")
	f(func(c *kube.Config) { c.URL = "api:6443" }, "url: ")
	f(func(c *kube.Config) { c.Namespace = "A" }, "namespace: ")
	f(func(c *kube.Config) { c.Timeout = 0 }, "timeout: ")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := kube.New(kube.DefaultConfig()); err == nil || !strings.Contains(err.Error(), "not in a pod") {
		t.Errorf("outside of a pod: %v", err)
	}
}
