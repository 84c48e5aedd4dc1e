package devcloud

import (
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/triggers"
)

func TestTriggersForCommands(t *testing.T) {
	c := &commanding{function: "http://127.0.0.1:1"}
	of := func(application, subscriber string) dispatch.Subscription {
		return dispatch.Subscription{Name: "default/" + application, Application: application, Subscriber: subscriber}
	}
	f := func(given []dispatch.Subscription, want ...string) {
		t.Helper()
		var got []string
		for _, s := range c.add(given)[len(given):] {
			got = append(got, s.Subscriber)
			if err := s.Validate(); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v gives %v, want %v", given, got, want)
		}
	}
	f(nil)
	f([]dispatch.Subscription{of("a", "http://x"), of("b", "http://y"), of("a", "http://z")}, "http://127.0.0.1:1/a", "http://127.0.0.1:1/b")
	f([]dispatch.Subscription{of("a", "http://x"), of("a", "http://127.0.0.1:1/a")})
}

// TestCommandsDoNotLoop shows that of all types that there are only that of commands passes.
func TestCommandsDoNotLoop(t *testing.T) {
	for _, of := range event.Types {
		e, err := triggers.NewEvent("1.0")
		if err != nil || e.Set("type", of.Name) != nil {
			t.Fatal(err)
		}
		selected, err := onlyCommands{}.Select(e)
		if err != nil || selected != (of.Name == event.TypeCommand) {
			t.Errorf("%s: %v, %v", of.Name, selected, err)
		}
	}
}
