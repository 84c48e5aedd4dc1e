//go:build integration

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kube"
	"github.com/fairlead/fairlead/internal/kube/kubetest"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// TestApplicationIsGivenWhatItNeeds has the registry and functions/provision, in processes of their own, give an application what it
// needs and take it away again, with a crash on the way. The API server keeps what it gets and checks nothing; test/knative does.
func TestApplicationIsGivenWhatItNeeds(t *testing.T) {
	const name = "provisioned"
	cluster := kubetest.New(t,
		kube.Kind{APIVersion: "eventing.knative.dev/v1", Kind: "Broker"}, kube.Kind{APIVersion: "eventing.knative.dev/v1", Kind: "Trigger"},
		kube.Kind{APIVersion: "eventing.knative.dev/v1alpha1", Kind: "KafkaSink"}, kube.Kind{APIVersion: "eventing.knative.dev/v1beta3", Kind: "EventType"})
	cluster.Admit = func(_ string, o kube.Object) (int, string) {
		o["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}
		return 0, ""
	}
	o := newOffice(t)
	manager := o.open()
	provision := o.provision(cluster.URL)
	o.trigger(provision.URL())

	o.do(manager, "POST", "", `{"metadata":{"name":"`+name+`"},"spec":{"knative":{"endpoint":{"url":"https://events.example.com/"}}}}`, 201)
	if !hasTopic(t, event.Topic(name)) {
		t.Error("a new application has no topic when its maker hears of it")
	}
	o.eventuallyReady(manager, name)
	objects := []string{"Broker provisioned", "KafkaSink provisioned-dead-letters", "Trigger provisioned-push"}
	has := func() bool {
		there := cluster.Objects()
		return !slices.ContainsFunc(objects, func(name string) bool { return there[name] == nil })
	}
	if !has() || len(cluster.Objects()) != len(objects)+len(event.Types) || !hasTopic(t, event.DeadLetterTopic(name)) {
		t.Errorf("the cluster has %v", cluster.Objects())
	}

	cluster.Remove("Broker provisioned")
	if status := deliver(bounded(t), provision.URL(), nil, map[string]string{"type": "dev.knative.sources.ping"}); status != http.StatusNoContent || !has() {
		t.Errorf("a ping is answered with %d, and the cluster has %v", status, cluster.Objects())
	}

	provision.Kill()
	o.do(manager, "DELETE", "/"+name, "", 204)
	o.do(manager, "GET", "/"+name, "", 200) // it waits for what is to be taken away
	if err := provision.Start(bounded(t)); err != nil {
		t.Fatal(err)
	}
	neighbour.Eventually(t, "the application to be gone", func() bool {
		status, _ := o.try(bounded(t), manager, "GET", "/"+name, "")
		return status == http.StatusNotFound
	})
	if left := cluster.Objects(); len(left) > 0 {
		t.Errorf("the cluster still has %v", left)
	}
	neighbour.Eventually(t, "its topics to be gone", func() bool {
		return !hasTopic(t, event.Topic(name)) && !hasTopic(t, event.DeadLetterTopic(name))
	})
}

// provision starts functions/provision beside the registry.
func (o *office) provision(server string) *functionbin.Function {
	o.t.Helper()
	f, err := here.function(bounded(o.t), "provision", append(o.settings,
		"FAIRLEAD_KUBERNETES_URL="+server, "FAIRLEAD_KUBERNETES_NAMESPACE="+kubetest.Namespace, "FAIRLEAD_KUBERNETES_TOKEN_FILE=")...)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(f.Kill)
	return f
}

// eventuallyReady waits until the conditions of an application say that it has everything.
func (o *office) eventuallyReady(manager *functionbin.Function, name string) {
	o.t.Helper()
	neighbour.Eventually(o.t, "the application to be ready", func() bool {
		var a registry.Application
		if err := json.Unmarshal([]byte(o.do(manager, "GET", "/"+name, "", 200)), &a); err != nil {
			o.t.Fatal(err)
		}
		all, err := a.Status.Conditions()
		if err != nil {
			o.t.Fatal(err)
		}
		ready, _ := all.Find(registry.Ready)
		return ready.Status == registry.True
	})
}

// trigger delivers the events of changes to a subscriber until the test ends: each until it is taken.
func (o *office) trigger(subscriber string) {
	o.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(here.kafka.Brokers()...), kgo.ConsumeTopics(o.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		o.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				attributes := map[string]string{}
				for _, h := range r.Headers {
					if attribute, ok := strings.CutPrefix(h.Key, "ce_"); ok {
						attributes[attribute] = string(h.Value)
					}
				}
				for deliver(ctx, subscriber, r.Value, attributes)/100 != 2 && backoff.Wait(ctx, 100*time.Millisecond) {
				}
			})
		}
	})
	o.t.Cleanup(func() {
		stop()
		running.Wait()
		client.Close()
	})
}

// deliver posts an event in binary content mode. A status of 0 is no answer.
func deliver(ctx context.Context, url string, data []byte, attributes map[string]string) (status int) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return 0
	}
	for name, value := range attributes {
		request.Header.Set("Ce-"+name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// hasTopic asks the controller: what brokers say of topics lags behind.
func hasTopic(t *testing.T, topic string) bool {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(here.kafka.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answers, err := kadm.NewClient(client).ValidateCreateTopics(bounded(t), 1, 1, nil, topic)
	if err != nil {
		t.Fatal(err)
	}
	if err := answers[topic].Err; err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		t.Fatal(err)
	}
	return answers[topic].Err != nil
}
