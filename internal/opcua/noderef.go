package opcua

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/opcua/binary"
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

// maxIdentifier is how long an identifier may be, in bytes (OPC 10000-3, 8.2.4).
const maxIdentifier = 4096

// ParseNodeRef reads "nsu=URI;s=Name", "nsu=URI;i=5" and so on, or without nsu= for StandardNamespace. "ns=INDEX" is refused. In
// the URI, ";" and "%" are written as "%3B" and "%25".
func ParseNodeRef(s string) (NodeRef, error) {
	var n NodeRef
	rest := s
	if after, ok := strings.CutPrefix(rest, "nsu="); ok {
		namespace, identifier, found := strings.Cut(after, ";")
		if !found || namespace == "" {
			return NodeRef{}, fmt.Errorf("node %q: after nsu=URI comes ;s=, ;i=, ;g= or ;b=", s)
		}
		if uri := unescapeURI.Replace(namespace); uri != StandardNamespace {
			n.Namespace = uri
		}
		rest = identifier
	} else if strings.HasPrefix(rest, "ns=") {
		return NodeRef{}, fmt.Errorf("node %q: name the namespace by its URI (nsu=URI;…), since a server may number it differently after a restart", s)
	}
	if len(rest) < 2 || rest[1] != '=' {
		return NodeRef{}, fmt.Errorf("node %q: is not of the form nsu=URI;s=NAME (or i=NUMBER, g=GUID, b=BASE64)", s)
	}
	n.Kind, n.Identifier = rest[0], rest[2:]
	if err := n.normalize(); err != nil {
		return NodeRef{}, fmt.Errorf("node %q: %w", s, err)
	}
	return n, nil
}

// normalize checks the identifier, and writes it as it is compared.
func (n *NodeRef) normalize() error {
	if len(n.Identifier) > maxIdentifier {
		return fmt.Errorf("the identifier has %d bytes, more than %d", len(n.Identifier), maxIdentifier)
	}
	switch n.Kind {
	case 'i':
		number, err := strconv.ParseUint(n.Identifier, 10, 32)
		if err != nil {
			return errors.New("i= is followed by a number from 0 to 4294967295")
		}
		n.Identifier = strconv.FormatUint(number, 10)
	case 's':
	case 'g':
		guid, err := binary.ParseGUID(n.Identifier)
		if err != nil {
			return err
		}
		n.Identifier = guid.String()
	case 'b':
		bytes, err := base64.StdEncoding.DecodeString(n.Identifier)
		if err != nil {
			return errors.New("b= is followed by base64")
		}
		n.Identifier = base64.StdEncoding.EncodeToString(bytes)
	default:
		return fmt.Errorf("%q is none of the kinds i, s, g and b", n.Kind)
	}
	return nil
}

var (
	escapeURI   = strings.NewReplacer("%", "%25", ";", "%3B")
	unescapeURI = strings.NewReplacer("%25", "%", "%3B", ";", "%3b", ";")
)

// String is the text that ParseNodeRef reads.
func (n NodeRef) String() string {
	switch {
	case n.IsZero():
		return ""
	case n.Namespace == "":
		return string(n.Kind) + "=" + n.Identifier
	default:
		return "nsu=" + escapeURI.Replace(n.Namespace) + ";" + string(n.Kind) + "=" + n.Identifier
	}
}

// IsZero tells whether it names no node.
func (n NodeRef) IsZero() bool { return n == NodeRef{} }

// A QualifiedName is a name with the URI of its namespace.
type QualifiedName struct {
	Namespace string // URI; "" is StandardNamespace
	Name      string
}

// String is "nsu=URI;Name", or the name alone in StandardNamespace.
func (q QualifiedName) String() string {
	if q.Namespace == "" {
		return q.Name
	}
	return "nsu=" + escapeURI.Replace(q.Namespace) + ";" + q.Name
}
