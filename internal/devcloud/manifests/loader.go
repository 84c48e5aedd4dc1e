package manifests

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/triggers"
)

// groupPrefix begins the name of every consumer group. A dot separates namespace and name, since no namespace has one.
const groupPrefix = "fairlead-trigger-"

// A Loader reads one folder. It is not safe for concurrent use.
type Loader struct {
	dir     string
	targets Targets

	good   map[string][]triggers.Document   // what each file held when it could last be read
	served map[string]dispatch.Subscription // by name
}

// NewLoader makes a loader of a folder.
func NewLoader(dir string, targets Targets) *Loader {
	return &Loader{dir: dir, targets: targets, good: map[string][]triggers.Document{}, served: map[string]dispatch.Subscription{}}
}

// A Loaded is what a folder says now.
type Loaded struct {
	Subscriptions []dispatch.Subscription
	Findings      []triggers.Finding // of the lint
	Problems      []error            // what could not be read or served; Kept tells whether an older version is
}

// A Problem is a file or a Trigger that does not work.
type Problem struct {
	What string // file, or file and Trigger
	Kept bool   // an older version goes on
	Err  error
}

// Error says what does not work, why, and what happens instead.
func (p *Problem) Error() string {
	if p.Kept {
		return fmt.Sprintf("%s: %v; the version before it stays in force", p.What, p.Err)
	}
	return fmt.Sprintf("%s: %v", p.What, p.Err)
}

// Unwrap is the reason alone.
func (p *Problem) Unwrap() error { return p.Err }

// Files lists the manifests in the folder, sorted. It is empty if the folder cannot be read.
func (l *Loader) Files() []string {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		extension := filepath.Ext(entry.Name())
		if strings.HasPrefix(entry.Name(), ".") || !slices.Contains([]string{".yaml", ".yml", ".json"}, extension) {
			continue
		}
		names = append(names, filepath.Join(l.dir, entry.Name()))
	}
	return names[:min(len(names), triggers.MaxFiles)]
}

// Load reads the folder.
func (l *Loader) Load() Loaded {
	var loaded Loaded
	good := map[string][]triggers.Document{}
	set := &triggers.Set{}
	for _, name := range l.Files() {
		read, err := triggers.LoadFiles(name)
		documents := read.Documents
		if err != nil {
			before, kept := l.good[name]
			if kept {
				documents = before
			}
			loaded.Problems = append(loaded.Problems, &Problem{What: filepath.Base(name), Kept: kept, Err: err})
		}
		good[name] = documents
		set.Empty = append(set.Empty, read.Empty...)
		set.Documents = append(set.Documents, documents...)
	}
	l.good = good
	loaded.Findings = triggers.Lint(set)
	l.subscribe(set, &loaded)
	return loaded
}

func (l *Loader) subscribe(set *triggers.Set, loaded *Loaded) {
	served := map[string]dispatch.Subscription{}
	for i := range set.Documents {
		document := &set.Documents[i]
		if document.Trigger == nil {
			continue
		}
		name := namespace(document.Trigger) + "/" + document.Trigger.Metadata.Name
		what := fmt.Sprintf("%s: Trigger %s", filepath.Base(document.File), name)
		if _, twice := served[name]; twice {
			loaded.Problems = append(loaded.Problems, &Problem{What: what, Err: errors.New("a Trigger of that name comes before it")})
			continue
		}
		s, err := Subscription(set, document.Trigger, l.targets)
		if err != nil {
			before, kept := l.served[name]
			loaded.Problems = append(loaded.Problems, &Problem{What: what, Kept: kept, Err: err})
			if !kept {
				continue
			}
			s = before
		}
		served[name] = s
		loaded.Subscriptions = append(loaded.Subscriptions, s)
	}
	l.served = served
}

// Subscription makes one Trigger of a set ready for delivery. Where an object of the cluster runs that no target names, the status of
// a Trigger that was read from the cluster says.
func Subscription(set *triggers.Set, t *triggers.Trigger, targets Targets) (dispatch.Subscription, error) {
	var none dispatch.Subscription
	if t.Metadata.Name == "" || t.Spec.Broker == "" {
		return none, errors.New("metadata.name and spec.broker are both needed")
	}
	filter, err := triggers.Compile(t)
	if err != nil {
		return none, err
	}
	broker := set.BrokerOf(t)
	policy, err := triggers.PolicyFor(t, broker)
	if err != nil {
		return none, err
	}
	s := dispatch.Subscription{
		Name:        namespace(t) + "/" + t.Metadata.Name,
		Group:       groupPrefix + namespace(t) + "." + t.Metadata.Name,
		Topic:       event.Topic(t.Spec.Broker),
		Application: t.Spec.Broker,
		Filter:      filter,
		Policy:      policy,
	}
	if broker != nil {
		s.Topic = cmp.Or(broker.ExternalTopic(), s.Topic)
	}
	status := readStatus(t.Status)
	if s.Subscriber, err = targets.resolve(&t.Spec.Subscriber, namespace(t), status.SubscriberURI); err != nil {
		return none, fmt.Errorf("spec.subscriber: %w", err)
	}
	if policy.DeadLetterSink != nil {
		if s.DeadLetter, err = targets.resolve(policy.DeadLetterSink, namespace(t), status.DeadLetterSinkURI); err != nil {
			return none, fmt.Errorf("deadLetterSink: %w", err)
		}
	}
	s.Version = version(&s, t)
	return s, s.Validate()
}

// version differs between two states of a Trigger that deliver differently.
func version(s *dispatch.Subscription, t *triggers.Trigger) string {
	text, err := json.Marshal([]any{s.Topic, s.Subscriber, s.DeadLetter, s.Policy, t.Spec.Filter, t.Spec.Filters})
	if err != nil {
		return fmt.Sprintf("%p", t) // cannot be compared: always different
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

func namespace(t *triggers.Trigger) string { return cmp.Or(t.Metadata.Namespace, "default") }
