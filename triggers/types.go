package triggers

import "encoding/json"

// APIVersion is the one version of the Broker and Trigger API that is read.
const APIVersion = apiGroup + "/v1"

const apiGroup = "eventing.knative.dev"

// Kinds of APIVersion that are read.
const (
	KindBroker  = "Broker"
	KindTrigger = "Trigger"
)

// Annotations that change what a Broker or Trigger does.
const (
	// AnnotationBrokerClass on a Broker names the implementation. It cannot be changed later.
	AnnotationBrokerClass = "eventing.knative.dev/broker.class"
	// AnnotationExternalTopic on a Broker of class Kafka names an existing topic to dispatch from.
	AnnotationExternalTopic = "kafka.eventing.knative.dev/external.topic"
	// AnnotationDeliveryOrder on a Trigger is "ordered" or "unordered" (the default).
	AnnotationDeliveryOrder = "kafka.eventing.knative.dev/delivery.order"
)

// BrokerClassKafka is the class of a Broker that dispatches straight from a Kafka topic.
const BrokerClassKafka = "Kafka"

// Metadata is what matters of a Kubernetes object's metadata. Fields that only
// the API server writes are accepted, so that `kubectl get -o yaml` can be read,
// and ignored.
type Metadata struct {
	Name         string            `json:"name,omitempty"`
	GenerateName string            `json:"generateName,omitempty"`
	Namespace    string            `json:"namespace,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`

	UID                        json.RawMessage `json:"uid,omitempty"`
	ResourceVersion            json.RawMessage `json:"resourceVersion,omitempty"`
	Generation                 json.RawMessage `json:"generation,omitempty"`
	SelfLink                   json.RawMessage `json:"selfLink,omitempty"`
	CreationTimestamp          json.RawMessage `json:"creationTimestamp,omitempty"`
	DeletionTimestamp          json.RawMessage `json:"deletionTimestamp,omitempty"`
	DeletionGracePeriodSeconds json.RawMessage `json:"deletionGracePeriodSeconds,omitempty"`
	OwnerReferences            json.RawMessage `json:"ownerReferences,omitempty"`
	Finalizers                 json.RawMessage `json:"finalizers,omitempty"`
	ManagedFields              json.RawMessage `json:"managedFields,omitempty"`
}

// A Broker is an event pool: here, the topic of one application.
type Broker struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   Metadata        `json:"metadata"`
	Spec       BrokerSpec      `json:"spec,omitempty"`
	Status     json.RawMessage `json:"status,omitempty"` // written by the controller, ignored
}

// A BrokerSpec says how a Broker is configured and how its Triggers deliver by default.
type BrokerSpec struct {
	Config   *Reference `json:"config,omitempty"`
	Delivery *Delivery  `json:"delivery,omitempty"` // for Triggers without a delivery of their own
}

// Class is the Broker's class annotation, "" if it has none.
func (b *Broker) Class() string { return b.Metadata.Annotations[AnnotationBrokerClass] }

// ExternalTopic is the topic that a Broker of class Kafka reads, "" if it makes its own.
func (b *Broker) ExternalTopic() string { return b.Metadata.Annotations[AnnotationExternalTopic] }

// A Trigger sends the events of a Broker that pass a filter to a subscriber.
type Trigger struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   Metadata        `json:"metadata"`
	Spec       TriggerSpec     `json:"spec,omitempty"`
	Status     json.RawMessage `json:"status,omitempty"` // written by the controller, ignored
}

// A TriggerSpec is what a user writes of a Trigger.
type TriggerSpec struct {
	Broker     string      `json:"broker,omitempty"`
	BrokerRef  *Reference  `json:"brokerRef,omitempty"`
	Filter     *Attributes `json:"filter,omitempty"`
	Filters    []FilterDoc `json:"filters,omitempty"` // not empty: overrides Filter
	Subscriber Destination `json:"subscriber"`
	Delivery   *Delivery   `json:"delivery,omitempty"` // replaces the Broker's as a whole
}

// Attributes is the legacy filter: every attribute must have exactly the value
// given; "" stands for any value but none.
type Attributes struct {
	Attributes map[string]string `json:"attributes,omitempty"`
}

// A FilterDoc is one filter of the CloudEvents Subscriptions API as written in a
// manifest. Exactly one dialect must be set. Compile turns it into a Filter.
type FilterDoc struct {
	All    []FilterDoc       `json:"all,omitempty"`
	Any    []FilterDoc       `json:"any,omitempty"`
	Not    *FilterDoc        `json:"not,omitempty"`
	Exact  map[string]string `json:"exact,omitempty"`
	Prefix map[string]string `json:"prefix,omitempty"`
	Suffix map[string]string `json:"suffix,omitempty"`
	CESQL  string            `json:"cesql,omitempty"`
}

// A Destination is where events go: an object of the cluster, an absolute URI,
// or a relative URI below an object's address.
type Destination struct {
	Ref      *Reference `json:"ref,omitempty"`
	URI      string     `json:"uri,omitempty"`
	CACerts  string     `json:"CACerts,omitempty"` // PEM, appended to those of Ref
	Audience string     `json:"audience,omitempty"`
}

// A Reference names an object of the cluster.
type Reference struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Group      string `json:"group,omitempty"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Namespace  string `json:"namespace,omitempty"`
	Address    string `json:"address,omitempty"`
}

// A Delivery is a delivery spec as written. Durations are ISO 8601 and count in
// tenths of a second; see ParseDuration. PolicyFor gives it meaning.
type Delivery struct {
	DeadLetterSink *Destination `json:"deadLetterSink,omitempty"`
	Retry          *int32       `json:"retry,omitempty"`
	Timeout        *string      `json:"timeout,omitempty"`
	BackoffPolicy  *string      `json:"backoffPolicy,omitempty"`
	BackoffDelay   *string      `json:"backoffDelay,omitempty"`
	RetryAfterMax  *string      `json:"retryAfterMax,omitempty"`
	Format         *string      `json:"format,omitempty"`
}
