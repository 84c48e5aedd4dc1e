package kube

import (
	"slices"
	"time"
)

// A Kind names a kind of objects, as manifests do.
type Kind struct{ APIVersion, Kind string }

// String is the kind without its version, for messages.
func (k Kind) String() string { return k.Kind }

// An Object is a Kubernetes object as its JSON has it.
type Object map[string]any

// NewObject makes an object with a name and nothing else.
func NewObject(k Kind, name string) Object {
	return Object{"apiVersion": k.APIVersion, "kind": k.Kind, "metadata": map[string]any{"name": name}}
}

// Field is what stands at a path of names, nil if there is nothing.
func (o Object) Field(path ...string) any {
	var at any = map[string]any(o)
	for _, name := range path {
		members, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = members[name]
	}
	return at
}

// Text is the text at a path of names, "" if there is none.
func (o Object) Text(path ...string) string {
	text, _ := o.Field(path...).(string)
	return text
}

// Kind is the kind of the object.
func (o Object) Kind() Kind { return Kind{o.Text("apiVersion"), o.Text("kind")} }

// Name is the name of the object.
func (o Object) Name() string { return o.Text("metadata", "name") }

// UID is the object's own identifier, "" for one that was never read from a server.
func (o Object) UID() string { return o.Text("metadata", "uid") }

// Deleting tells whether the object is on its way out.
func (o Object) Deleting() bool { return o.Text("metadata", "deletionTimestamp") != "" }

// Deleted tells when the object was deleted, of one that is on its way out.
func (o Object) Deleted() (at time.Time, deleting bool) {
	at, err := time.Parse(time.RFC3339, o.Text("metadata", "deletionTimestamp"))
	return at, err == nil
}

// Label is the value of a label, "" if the object has none of that name.
func (o Object) Label(name string) string { return o.Text("metadata", "labels", name) }

// Annotation is the value of an annotation, "" if the object has none of that name.
func (o Object) Annotation(name string) string { return o.Text("metadata", "annotations", name) }

// String names the object by its kind and name, for messages.
func (o Object) String() string { return o.Kind().Kind + " " + o.Name() }

// A Condition is an entry of an object's status.conditions.
type Condition struct{ Type, Status, Reason, Message string }

// Condition finds a condition of the object by its type.
func (o Object) Condition(kind string) (Condition, bool) {
	all, _ := o.Field("status", "conditions").([]any)
	at := slices.IndexFunc(all, func(c any) bool { return text(c, "type") == kind })
	if at < 0 {
		return Condition{}, false
	}
	c := all[at]
	return Condition{kind, text(c, "status"), text(c, "reason"), text(c, "message")}, true
}

func text(of any, name string) string {
	members, _ := of.(map[string]any)
	value, _ := members[name].(string)
	return value
}
