package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kube"
	"github.com/fairlead/fairlead/internal/registry"
)

// Kinds of the objects that applications are given.
var (
	brokerKind    = kube.Kind{APIVersion: "eventing.knative.dev/v1", Kind: "Broker"}
	triggerKind   = kube.Kind{APIVersion: "eventing.knative.dev/v1", Kind: "Trigger"}
	sinkKind      = kube.Kind{APIVersion: "eventing.knative.dev/v1alpha1", Kind: "KafkaSink"}
	eventTypeKind = kube.Kind{APIVersion: "eventing.knative.dev/v1beta3", Kind: "EventType"}
	serviceKind   = kube.Kind{APIVersion: "serving.knative.dev/v1", Kind: "Service"}

	kinds = []kube.Kind{triggerKind, eventTypeKind, brokerKind, sinkKind} // in the order in which they are deleted
)

const (
	// labelApplication is on every object that an application is given. Its value is the object's base name.
	labelApplication = "fairlead.dev/application"
	// annotationApplication holds the name of the application.
	annotationApplication = "fairlead.dev/application-name"

	maxBaseName = 63 // of a label's value
)

// baseName is the name of an application's Broker, with which the names of its other objects begin: the application's own, or, of one
// that is too long for the value of a label, its beginning and a hash.
func baseName(application string) string {
	if len(application) <= maxBaseName {
		return application
	}
	sum := sha256.Sum256([]byte(application))
	return application[:30] + "-" + hex.EncodeToString(sum[:16])
}

// Settings are what objects are made from beside the application.
type Settings struct {
	Config
	Brokers []string // addresses of Kafka for KafkaSinks
}

// Why there is no push although the application asks for it.
var errNoPushService = errors.New("spec.knative: this installation pushes no events; its setting provision.push names no service")

// An application on its way to objects.
type builder struct {
	*Settings
	name, base string
}

// Objects lists the objects that an application should have, those first that others refer to. The error says why the application
// does not have all it asks for.
func Objects(a *registry.Application, s *Settings) (objects []kube.Object, problem error) {
	b := &builder{s, a.Metadata.Name, baseName(a.Metadata.Name)}
	if s.DeadLetters.Sink == kafkaSink {
		objects = append(objects, b.deadLetters())
	}
	objects = append(objects, b.broker())
	if b.Broker.Source != "" {
		objects = append(objects, b.feed())
	}
	switch _, err := a.PushEndpoint(); {
	case errors.Is(err, registry.ErrNoPush):
	case s.Push == "":
		problem = errNoPushService
	default:
		// An endpoint that cannot be used has a Trigger, too: its events become dead letters, and none is missed meanwhile.
		problem = err
		objects = append(objects, b.inOrder(b.trigger("push", s.Push, map[string]any{"not": ofType(event.TypeCommand)})))
	}
	if s.Command != "" {
		objects = append(objects, b.trigger("command", s.Command, ofType(event.TypeCommand)))
	}
	if s.EventTypes {
		for _, t := range event.Types {
			objects = append(objects, b.eventType(t))
		}
	}
	return objects, problem
}

func ofType(name string) map[string]any {
	return map[string]any{"exact": map[string]any{"type": name}}
}

// object makes one with the marks that all have.
func (b *builder) object(k kube.Kind, name string, spec map[string]any) kube.Object {
	o := kube.NewObject(k, name)
	o["metadata"] = map[string]any{
		"name":        name,
		"labels":      map[string]any{labelApplication: b.base, "app.kubernetes.io/managed-by": "fairlead"},
		"annotations": map[string]any{annotationApplication: b.name},
	}
	o["spec"] = spec
	return o
}

// deadLetters is the sink that writes what could not be delivered to a topic.
func (b *builder) deadLetters() kube.Object {
	servers := make([]any, len(b.Brokers))
	for i, broker := range b.Brokers {
		servers[i] = broker
	}
	spec := map[string]any{"topic": event.DeadLetterTopic(b.name), "bootstrapServers": servers, "contentMode": "binary"}
	if b.DeadLetters.Secret != "" {
		spec["auth"] = map[string]any{"secret": map[string]any{"ref": map[string]any{"name": b.DeadLetters.Secret}}}
	}
	return b.object(sinkKind, b.base+"-dead-letters", spec)
}

func (b *builder) broker() kube.Object {
	spec := map[string]any{"delivery": b.delivery()}
	if b.Broker.Config != "" {
		spec["config"] = map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "name": b.Broker.Config, "namespace": b.Broker.ConfigNamespace,
		}
	}
	o := b.object(brokerKind, b.base, spec)
	annotations := o.Field("metadata", "annotations").(map[string]any)
	annotations["eventing.knative.dev/broker.class"] = b.Broker.Class
	if b.Broker.ofKafka() {
		annotations["kafka.eventing.knative.dev/external.topic"] = event.Topic(b.name)
	}
	return o
}

// feed hands the application's Broker its events, where one Broker takes those of all. What the registry tells of it is for others.
func (b *builder) feed() kube.Object {
	return b.object(triggerKind, b.base+"-events", map[string]any{
		"broker": b.Broker.Source,
		"filters": []any{
			map[string]any{"exact": map[string]any{"application": b.name}},
			map[string]any{"not": map[string]any{"prefix": map[string]any{"type": event.ChangeTypes}}},
		},
		"subscriber": map[string]any{"ref": reference(brokerKind, b.base)},
		"delivery":   b.delivery(),
	})
}

// trigger hands the events that a filter selects to a service, at the path of the application.
func (b *builder) trigger(purpose, service string, filter map[string]any) kube.Object {
	ref := reference(serviceKind, service)
	if b.Services != "" {
		ref["namespace"] = b.Services
	}
	subscriber := map[string]any{"ref": ref, "uri": "/" + b.name}
	if b.OIDC {
		subscriber["audience"] = service
	}
	return b.object(triggerKind, b.base+"-"+purpose, map[string]any{
		"broker":     b.base,
		"filters":    []any{filter},
		"subscriber": subscriber,
		"delivery":   b.delivery(),
	})
}

// inOrder has a Broker of Kafka deliver the events of one device one after the other, as fairlead dev does.
func (b *builder) inOrder(trigger kube.Object) kube.Object {
	if b.Broker.ofKafka() {
		annotations := trigger.Field("metadata", "annotations").(map[string]any)
		annotations["kafka.eventing.knative.dev/delivery.order"] = "ordered"
	}
	return trigger
}

// delivery stands in Broker and Triggers: what a Trigger says replaces what its Broker says, as a whole.
func (b *builder) delivery() map[string]any {
	d := map[string]any{
		"retry":         b.Delivery.Retry,
		"backoffPolicy": b.Delivery.Policy,
		"backoffDelay":  isoDuration(b.Delivery.Backoff),
		"timeout":       isoDuration(b.Delivery.Timeout),
	}
	switch b.DeadLetters.Sink {
	case noSink:
	case kafkaSink:
		d["deadLetterSink"] = map[string]any{"ref": reference(sinkKind, b.base+"-dead-letters")}
	default:
		d["deadLetterSink"] = map[string]any{"uri": b.DeadLetters.Sink}
	}
	return d
}

func reference(k kube.Kind, name string) map[string]any {
	return map[string]any{"apiVersion": k.APIVersion, "kind": k.Kind, "name": name}
}

// isoDuration is a duration as ISO 8601 has it, in seconds.
func isoDuration(d time.Duration) string {
	return "PT" + strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S"
}

func (b *builder) eventType(t event.Type) kube.Object {
	attribute := func(name, value string, required bool) any {
		a := map[string]any{"name": name, "required": required}
		if value != "" {
			a["value"] = value
		}
		return a
	}
	return b.object(eventTypeKind, b.base+"-"+t.Name, map[string]any{
		"reference":   reference(brokerKind, b.base),
		"description": t.Description,
		"attributes": []any{
			attribute("specversion", "1.0", true), attribute("id", "", true), attribute("source", "", true), attribute("type", t.Name, true),
			attribute("subject", "", true), attribute("time", "", true), attribute("application", b.name, true),
			attribute("device", "", true), attribute("instance", "", true),
		},
	})
}
