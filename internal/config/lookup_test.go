package config

import (
	"strings"
	"testing"
	"time"
)

// A Shared is embedded in the configurations of several programs.
type Shared struct {
	Name  string
	Kafka inner
}

type embedding struct {
	Shared
	Own inner
}

func TestEmbedded(t *testing.T) {
	c := embedding{Shared{Kafka: inner{MaxBytes: 1}}, inner{MaxBytes: 1}}
	if err := Load("X", []string{"X_NAME=n", "X_OWN_MAX_BYTES=-1"}, &c); err != nil || c.Name != "n" {
		t.Errorf("%+v, %v", c, err)
	}
	if err := Validate("", &c); err == nil || !strings.HasPrefix(err.Error(), "own.maxBytes: ") {
		t.Errorf("error %v", err)
	}
	if err := Load("X", []string{"X_SHARED_NAME=n"}, &c); err == nil {
		t.Error("the name of an embedded struct counts")
	}
}

func TestLookup(t *testing.T) {
	c := embedding{Shared{Kafka: inner{MaxBytes: 7, DeliveryTimeout: time.Second}}, inner{MaxBytes: 8}}
	for path, want := range map[string]int64{"kafka.maxBytes": 7, "own.maxBytes": 8, "kafka.deliveryTimeout": int64(time.Second)} {
		if got, err := Number(&c, path); err != nil || got != want {
			t.Errorf("Number(%s) = %d, %v", path, got, err)
		}
	}
	group, err := Group(&c, "own")
	if err != nil || group != any(&c.Own) {
		t.Errorf("Group(own) = %v, %v", group, err)
	}
	_, a := Group(&c, "own.maxBytes")
	_, b := Number(&c, "own.brokers")
	_, d := Number(&c, "owner.maxBytes")
	if a == nil || b == nil || d == nil {
		t.Errorf("errors %v, %v, %v", a, b, d)
	}
}
