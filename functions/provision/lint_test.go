package provision

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/triggers"
)

// TestObjectsAreClean holds Brokers and Triggers against what Knative takes and then does otherwise than one thinks.
func TestObjectsAreClean(t *testing.T) {
	f := func(change func(*Config), brokers, subscribers int) {
		t.Helper()
		objects, err := Objects(application("app", endpoint), settings(change))
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		for i, o := range objects {
			if k := o.Kind(); k != brokerKind && k != triggerKind {
				continue
			}
			text, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), fmt.Sprint(i)+".yaml")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		set, err := triggers.LoadFiles(files...)
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range triggers.Lint(set) {
			t.Error(finding)
		}
		if all := set.Triggers("app"); len(all) != subscribers || len(files) != brokers+subscribers || set.BrokerOf(all[0]) == nil {
			t.Errorf("%d Triggers in %d files", len(all), len(files))
		}
	}
	f(nil, 1, 1)
	f(func(c *Config) { c.Command = "fairlead-command" }, 1, 2)
	f(func(c *Config) { c.DeadLetters.Sink = "http://dead-letters.example/" }, 1, 1)
}
