package registry

import (
	"testing"
	"time"
)

func TestConditions(t *testing.T) {
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	second := first.Add(time.Hour)
	all := Conditions(nil).With(Condition{Type: KafkaReady, Status: True}, first).Aggregate(first)
	f := func(kind, status, reason, message string, at time.Time) {
		t.Helper()
		got, _ := all.Find(kind)
		if want := (Condition{kind, status, reason, message, at}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	f(KafkaReady, True, "", "", first)
	f(Ready, True, "", "", first)
	all = all.With(Condition{Type: KafkaReady, Status: True}, second).With(Condition{Type: KnativeReady, Status: False, Reason: "R", Message: "m"}, second).Aggregate(second)
	f(KafkaReady, True, "", "", first)
	f(KnativeReady, False, "R", "m", second)
	f(Ready, False, "R", "KnativeReady: m", second)
	all = all.With(Condition{Type: KnativeReady, Status: Unknown, Reason: "W"}, second).Aggregate(second)
	f(Ready, Unknown, "W", "KnativeReady: no reason is given", second)
	all = all.Without(KnativeReady).Aggregate(first)
	f(Ready, True, "", "", first)

	status, err := Sections{"kafka": []byte(`{"a":1}`)}.WithConditions(all)
	if err != nil {
		t.Fatal(err)
	}
	read, err := status.Conditions()
	if err != nil || len(read) != 2 || string(status["kafka"]) != `{"a":1}` {
		t.Errorf("%+v, %v", read, err)
	}
}
