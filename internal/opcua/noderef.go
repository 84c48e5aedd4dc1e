package opcua

import (
	"errors"
)

// StandardNamespace is the namespace of OPC UA itself. In a NodeRef it is "".
const StandardNamespace = "http://opcfoundation.org/UA/"

// A NodeRef names a node by the URI of its namespace, so that it stays the same when a server numbers its namespaces
// differently. It can be compared and be a key. The zero value names no node.
type NodeRef struct {
	Namespace  string // URI; "" is StandardNamespace
	Kind       byte   // 'i' numeric, 's' string, 'g' GUID, 'b' opaque
	Identifier string // as in the text: decimal, the string, a GUID in lower case, base64
}

// ParseNodeRef reads "nsu=URI;s=Name", "nsu=URI;i=5" and so on, or without nsu= for StandardNamespace. "ns=INDEX" is refused.
func ParseNodeRef(s string) (NodeRef, error) { return NodeRef{}, errors.ErrUnsupported }

// String is the text that ParseNodeRef reads.
func (n NodeRef) String() string { return "" }

// IsZero tells whether it names no node.
func (n NodeRef) IsZero() bool { return n == NodeRef{} }

// A QualifiedName is a name with the URI of its namespace.
type QualifiedName struct {
	Namespace string // URI; "" is StandardNamespace
	Name      string
}
