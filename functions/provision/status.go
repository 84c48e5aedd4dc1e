package provision

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/registry"
)

// sectionKnative is the section of the status that says that an application was given its objects. Clients of Drogue Cloud read it, and
// that of Kafka.
const sectionKnative = "knative"

// A kafkaStatus says which topic an application was given.
type kafkaStatus struct {
	ObservedGeneration uint64              `json:"observedGeneration"`
	Conditions         registry.Conditions `json:"conditions"`
	Downstream         *downstream         `json:"downstream,omitempty"`
}

// A downstream is where consumers find the events.
type downstream struct {
	Topic            string            `json:"topic"`
	BootstrapServers string            `json:"bootstrapServers"`
	Properties       map[string]string `json:"properties"`
}

// A knativeStatus says that an application was given its objects. Its first member has another spelling than that of Kafka.
type knativeStatus struct {
	ObservedGeneration uint64              `json:"observed_generation"`
	Conditions         registry.Conditions `json:"conditions"`
}

// status is that of an application with what the verdicts say, which came from the work on one generation of it.
func (p *Provisioner) status(a *registry.Application, generation uint64, verdicts map[string]verdict, now time.Time) (registry.Sections, error) {
	all := judged(a, verdicts, now)
	next, err := a.Status.WithConditions(all)
	if err != nil {
		return nil, err
	}
	for kind, section := range map[string]string{registry.KafkaReady: sectionKafka, registry.KnativeReady: sectionKnative} {
		if _, said := next[section]; said && verdicts[kind].reason == reasonUnavailable {
			continue // an outage says nothing of what was observed
		}
		condition, ok := all.Find(kind)
		if !ok {
			continue
		}
		condition.Type = registry.Ready
		ours := p.section(a.Metadata.Name, generation, section, registry.Conditions{condition})
		if next[section], err = merged(next[section], ours); err != nil {
			return nil, fmt.Errorf("writing the status %s: %w", section, err)
		}
	}
	return next, nil
}

// merged is a section with other values for some of its members.
func merged(section json.RawMessage, members any) (json.RawMessage, error) {
	text, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	if json.Unmarshal(section, &all) != nil || all == nil { // what somebody has spoilt is replaced
		all = map[string]json.RawMessage{}
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// section is one section of the status of an application.
func (p *Provisioner) section(application string, generation uint64, section string, conditions registry.Conditions) any {
	if section == sectionKnative {
		return knativeStatus{generation, conditions}
	}
	s := kafkaStatus{ObservedGeneration: generation, Conditions: conditions}
	if len(p.settings.Brokers) > 0 {
		s.Downstream = &downstream{event.Topic(application), strings.Join(p.settings.Brokers, ","), map[string]string{}}
	}
	return s
}

// sameStatus tells whether two statuses say the same of what an application was given; databases write JSON in their own way.
func sameStatus(a, b registry.Sections) bool {
	for _, section := range []string{registry.SectionConditions, sectionKafka, sectionKnative} {
		if !reflect.DeepEqual(meaning(a[section]), meaning(b[section])) {
			return false
		}
	}
	return true
}

func meaning(section json.RawMessage) (value any) {
	_ = json.Unmarshal(section, &value) // what is missing or spoilt means nothing
	return value
}
