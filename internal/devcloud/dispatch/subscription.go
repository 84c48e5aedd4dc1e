package dispatch

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/fairlead/fairlead/triggers"
)

// A Filter decides which events a subscription gets. An error says why the event is thrown away before that is decided. It
// must be safe for concurrent use.
type Filter interface {
	Select(event *triggers.Event) (bool, error)
}

// A Subscription is one Trigger, ready for delivery.
type Subscription struct {
	Name        string          // namespace/name of the Trigger, unique within a dispatcher
	Group       string          // Kafka consumer group
	Topic       string          // Kafka topic with the events of the application
	Application string          // for people
	Filter      Filter          // nil lets everything through
	Subscriber  string          // absolute http or https URL
	DeadLetter  string          // absolute http or https URL; "" for none
	Policy      triggers.Policy // its DeadLetterSink is not used: DeadLetter is that, resolved
	Version     string          // differs between two subscriptions of one name that differ in anything
}

// Validate checks what a dispatcher relies on.
func (s *Subscription) Validate() error {
	if s.Name == "" || s.Group == "" || s.Topic == "" {
		return errors.New("a subscription needs a name, a group and a topic")
	}
	if err := validateTarget(s.Subscriber); err != nil {
		return fmt.Errorf("subscriber: %w", err)
	}
	if s.DeadLetter == "" {
		return nil
	}
	if err := validateTarget(s.DeadLetter); err != nil {
		return fmt.Errorf("dead letter sink: %w", err)
	}
	return nil
}

// namespace is that of the Trigger.
func (s *Subscription) namespace() string {
	namespace, _, _ := strings.Cut(s.Name, "/")
	return namespace
}

func validateTarget(target string) error {
	u, err := url.Parse(target)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("not an absolute http or https URL")
	}
	return nil
}
