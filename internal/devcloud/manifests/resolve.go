package manifests

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/fairlead/fairlead/triggers"
)

// Targets say at which URL the objects run that Triggers refer to, by name or by namespace/name.
type Targets map[string]string

// Resolve finds the URL of a destination: its absolute URI, or the configured URL of its reference with the relative
// URI behind it.
func (t Targets) Resolve(d *triggers.Destination, namespace string) (string, error) {
	if d.Ref == nil {
		if d.URI == "" {
			return "", errors.New("neither uri nor ref is given")
		}
		return d.URI, nil
	}
	if d.Ref.Namespace != "" {
		namespace = d.Ref.Namespace
	}
	base, ok := t[namespace+"/"+d.Ref.Name]
	if !ok {
		base, ok = t[d.Ref.Name]
	}
	if !ok {
		return "", fmt.Errorf("where %s %q runs is not known here: say so with --ref %s=http://127.0.0.1:PORT", d.Ref.Kind, d.Ref.Name, d.Ref.Name)
	}
	if d.URI == "" {
		return base, nil
	}
	root, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("the URL given for %q does not parse", d.Ref.Name)
	}
	relative, err := url.Parse(d.URI)
	if err != nil || relative.IsAbs() {
		return "", errors.New("uri: must be relative where there is a ref")
	}
	return root.ResolveReference(relative).String(), nil
}

// A status is what a cluster has found out about a Trigger.
type status struct {
	SubscriberURI     string `json:"subscriberUri"`
	DeadLetterSinkURI string `json:"deadLetterSinkUri"`
}

func readStatus(raw json.RawMessage) status {
	var s status
	_ = json.Unmarshal(raw, &s) // what has another form says nothing
	return s
}

// resolve is Resolve, with what the cluster has found where no target is known.
func (t Targets) resolve(d *triggers.Destination, namespace, found string) (string, error) {
	target, err := t.Resolve(d, namespace)
	if err != nil && found != "" {
		return found, nil
	}
	return target, err
}
