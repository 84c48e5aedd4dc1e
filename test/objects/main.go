// Command objects prints the objects that functions/provision gives applications, in all settings that change their form, one in JSON
// on each line. The tests in test/knative hold them against Knative's own types, which the root module must not need.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/fairlead/fairlead/functions/provision"
	"github.com/fairlead/fairlead/internal/registry"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	encoder := json.NewEncoder(os.Stdout)
	for _, s := range settings() {
		for _, name := range []string{"example-app", "0.a-b.example", strings.Repeat("a", 60) + ".bcd"} {
			a := &registry.Application{
				Metadata: registry.Metadata{Name: name},
				Spec:     registry.Sections{registry.SectionKnative: json.RawMessage(`{"endpoint":{"url":"https://example.com/"}}`)},
			}
			objects, err := provision.Objects(a, s)
			if err != nil {
				return err
			}
			for _, o := range objects {
				if err := encoder.Encode(o); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// settings are the default ones, and those that differ from them in every way.
func settings() (all []*provision.Settings) {
	for range 2 {
		all = append(all, &provision.Settings{Config: provision.DefaultConfig(), Brokers: []string{"kafka:9092", "kafka-2:9092"}})
	}
	other := &all[1].Config
	other.Broker = provision.BrokerConfig{Class: "MTChannelBasedBroker", Source: "all"}
	other.DeadLetters.Sink = "http://dead-letters.example/"
	other.Delivery.Policy = "linear"
	other.Command, other.Services, other.OIDC = "fairlead-command", "elsewhere", true
	return all
}
