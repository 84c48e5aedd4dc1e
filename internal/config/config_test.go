package config

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type inner struct {
	DeliveryTimeout time.Duration `doc:"how long, as a duration"`
	Brokers         []string      `doc:"addresses"`
	MaxBytes        int64         `doc:"limit in bytes"`
}

func (i *inner) Validate() error {
	if i.MaxBytes < 1 {
		return errors.New("maxBytes: must be at least 1")
	}
	return nil
}

type outer struct {
	Function string `doc:"which function"`
	Token    string `doc:"bearer token" secret:"true"`
	Enabled  bool
	Ratio    float64
	Kafka    inner
}

func TestLoad(t *testing.T) {
	c := outer{Function: "telemetry", Kafka: inner{MaxBytes: 7}}
	err := Load("FAIRLEAD", []string{
		"PATH=/bin", "FAIRLEAD_ENABLED=true", "FAIRLEAD_KAFKA_BROKERS=a:1, b:2,", "FAIRLEAD_KAFKA_DELIVERY_TIMEOUT=1m", "FAIRLEADER=1", "FAIRLEAD_RATIO=0.25",
	}, &c)
	if err != nil {
		t.Fatal(err)
	}
	want := outer{Function: "telemetry", Enabled: true, Ratio: 0.25, Kafka: inner{time.Minute, []string{"a:1", "b:2"}, 7}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

func TestLoadNamesTheBadField(t *testing.T) {
	f := func(variable, want string) {
		t.Helper()
		c := outer{Kafka: inner{MaxBytes: 7}}
		err := errors.Join(Load("FAIRLEAD", []string{variable}, &c), Validate("", &c))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%q) = %v, want an error with %q", variable, err, want)
		}
		if _, value, _ := strings.Cut(variable, "="); err != nil && strings.Contains(err.Error(), value) {
			t.Errorf("the error repeats the value: %v", err)
		}
	}
	f("FAIRLEAD_KAFKA_MAX_BYTES=-3", "kafka.maxBytes: must be at least 1")
	f("FAIRLEAD_KAFKA_MAX_BYTES=many", "kafka.maxBytes (FAIRLEAD_KAFKA_MAX_BYTES): not a whole number")
	f("FAIRLEAD_KAFKA_DELIVERY_TIMEOUT=77", "kafka.deliveryTimeout")
	f("FAIRLEAD_ENABLED=perhaps", "enabled")
	f("FAIRLEAD_RATIO=half", "ratio (FAIRLEAD_RATIO): not a number")
	f("FAIRLEAD_RATIO=NaN", "ratio (FAIRLEAD_RATIO): not a number")
	f("FAIRLEAD_KAFKA_BROKER=xyz", "FAIRLEAD_KAFKA_BROKER is not a setting")
}

func TestMarkdownHidesSecrets(t *testing.T) {
	text := Markdown(Settings("FAIRLEAD", &outer{Function: "telemetry", Token: "hunter2"}))
	if strings.Contains(text, "hunter2") || !strings.Contains(text, "| `FAIRLEAD_FUNCTION` | `telemetry` | which function |") {
		t.Error(text)
	}
}
