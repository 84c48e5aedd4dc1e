package provision

import (
	"errors"
	"net/url"
	"slices"
	"time"
)

// Sinks for dead letters; anything else is a URL.
const (
	kafkaSink = "KafkaSink"
	noSink    = "none"
)

// A Config says what applications are given.
type Config struct {
	Kubernetes   bool `doc:"whether applications are given objects in a cluster; false keeps only their Kafka topics"`
	Broker       BrokerConfig
	DeadLetters  DeadLettersConfig
	Delivery     DeliveryConfig
	Push         string        `doc:"name of the Knative Service that pushes events to the endpoints of applications; empty for none"`
	Command      string        `doc:"name of the Knative Service that takes the commands with which subscribers answer events; empty for none"`
	Services     string        `doc:"namespace of these services; empty is that of the objects"`
	OIDC         bool          `doc:"whether Triggers show these services a token, whose audience is the name of the service; Knative Eventing needs its feature authentication-oidc for that"`
	KafkaUsers   bool          `doc:"whether each application is given a user at Kafka (SCRAM-SHA-512) that may read its events, and nothing else; Kafka needs an authorizer, and the function the rights to alter users and ACLs"`
	EventTypes   bool          `doc:"whether an EventType describes each type of events that an application may have"`
	Timeout      time.Duration `doc:"longest duration of the work on one application"`
	Wait         time.Duration `doc:"duration for which new objects are waited for until they are ready, or gone"`
	SweepTimeout time.Duration `doc:"duration for which one ping has all applications looked at; the next ping goes on where it ended"`
	Parallel     int           `doc:"number of applications that a ping has looked at at once"`
}

// A BrokerConfig says what Brokers are like.
type BrokerConfig struct {
	Class           string `doc:"class of the Brokers; one of class Kafka or KafkaNamespaced reads the topic of its application"`
	Config          string `doc:"ConfigMap that the Brokers refer to; empty takes the default of the cluster"`
	ConfigNamespace string `doc:"namespace of that ConfigMap"`
	Source          string `doc:"Broker in the same namespace that takes the events of all devices, as a sink in place of Kafka; a Trigger hands each application's to its Broker; empty for Brokers of Kafka"`
}

// A DeadLettersConfig says where events go that could not be delivered.
type DeadLettersConfig struct {
	Sink   string `doc:"KafkaSink for a topic of dead letters for each application, none, or the URL of a sink for all"`
	Secret string `doc:"Secret with which KafkaSinks log in to Kafka, in the namespace of the objects; empty for none"`
}

// A DeliveryConfig says how Triggers deliver.
type DeliveryConfig struct {
	Retry   int           `doc:"number of attempts after the first one"`
	Policy  string        `doc:"how pauses between attempts grow: exponential or linear"`
	Backoff time.Duration `doc:"first pause between attempts, in tenths of a second"`
	Timeout time.Duration `doc:"longest duration of one attempt, in tenths of a second"`
}

// DefaultConfig is for a cluster with Knative's Broker for Kafka.
func DefaultConfig() Config {
	return Config{
		Kubernetes:  true,
		Broker:      BrokerConfig{Class: "Kafka", Config: "kafka-broker-config", ConfigNamespace: "knative-eventing"},
		DeadLetters: DeadLettersConfig{Sink: kafkaSink},
		Delivery:    DeliveryConfig{Retry: 8, Policy: "exponential", Backoff: 500 * time.Millisecond, Timeout: 30 * time.Second},
		Push:        "fairlead-push",
		EventTypes:  true,
		Timeout:     20 * time.Second, Wait: 10 * time.Second, SweepTimeout: 20 * time.Second, Parallel: 4,
	}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.Timeout < time.Second || c.Timeout > 25*time.Second:
		return errors.New("timeout: must lie between 1s and 25s")
	case c.Wait < 0 || c.Wait >= c.Timeout:
		return errors.New("wait: must be at least 0s and below timeout")
	case c.SweepTimeout < time.Second || c.SweepTimeout > 25*time.Second:
		return errors.New("sweepTimeout: must lie between 1s and 25s")
	case c.Parallel < 1 || c.Parallel > 64:
		return errors.New("parallel: must lie between 1 and 64")
	}
	return nil
}

// Validate names the first bad field.
func (c *BrokerConfig) Validate() error {
	switch {
	case c.Class == "":
		return errors.New("class: is missing")
	case c.Config != "" && c.ConfigNamespace == "":
		return errors.New("configNamespace: is missing")
	case c.Source != "" && c.ofKafka():
		return errors.New("source: is for Brokers that do not read the topics of applications")
	}
	return nil
}

// ofKafka tells whether Brokers read the topics of applications.
func (c *BrokerConfig) ofKafka() bool { return c.Class == "Kafka" || c.Class == "KafkaNamespaced" }

// Validate names the first bad field.
func (c *DeadLettersConfig) Validate() error {
	u, err := url.Parse(c.Sink)
	if c.Sink != kafkaSink && c.Sink != noSink && (err != nil || u.Scheme == "" || u.Host == "") {
		return errors.New("sink: must be KafkaSink, none or a URL")
	}
	return nil
}

// Validate names the first bad field.
func (c *DeliveryConfig) Validate() error {
	const tenth = 100 * time.Millisecond
	switch {
	case c.Retry < 0 || c.Retry > 100:
		return errors.New("retry: must lie between 0 and 100")
	case !slices.Contains([]string{"exponential", "linear"}, c.Policy):
		return errors.New("policy: must be exponential or linear")
	case c.Backoff < tenth || c.Backoff > time.Minute || c.Backoff%tenth != 0:
		return errors.New("backoff: must be tenths of a second between 100ms and 1m")
	case c.Timeout < tenth || c.Timeout > 10*time.Minute || c.Timeout%tenth != 0:
		return errors.New("timeout: must be tenths of a second between 100ms and 10m")
	}
	return nil
}
