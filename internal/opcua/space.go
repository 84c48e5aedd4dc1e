package opcua

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"sync"

	"github.com/fairlead/fairlead/internal/opcua/binary"
)

// A space is what a connection knows of the server's address space: the URIs of its namespaces, and its data types.
type space struct {
	namespaces []string // by index
	indices    map[string]uint16

	mu    sync.RWMutex
	types map[binary.NodeID]*dataType  // by data type
	byEnc map[binary.NodeID]*structure // by the encoding that an ExtensionObject names

	fields int // of the structures; whoever holds Connection.learning has it
}

func newSpace(namespaces []string) *space {
	s := &space{namespaces: namespaces, indices: map[string]uint16{}, types: map[binary.NodeID]*dataType{}, byEnc: map[binary.NodeID]*structure{}}
	for i, uri := range namespaces {
		if _, twice := s.indices[uri]; !twice {
			s.indices[uri] = uint16(i)
		}
	}
	s.indices[StandardNamespace] = 0
	return s
}

// node is the node id of a NodeRef at this server.
func (s *space) node(n NodeRef) (id binary.NodeID, err error) {
	if id.Namespace, err = s.index(n.Namespace); err != nil {
		return id, err
	}
	id.Kind = n.Kind
	switch n.Kind {
	case 'i':
		number, err := strconv.ParseUint(n.Identifier, 10, 32)
		id.Number = uint32(number)
		return id, err
	case 's':
		id.Text = n.Identifier
	case 'g':
		id.GUID, err = binary.ParseGUID(n.Identifier)
		return id, err
	case 'b':
		bytes, err := base64.StdEncoding.DecodeString(n.Identifier)
		id.Text = string(bytes)
		return id, err
	default:
		return id, fmt.Errorf("%q names no node", n)
	}
	return id, nil
}

// An UnknownNamespaceError says that the server has no namespace with a URI.
type UnknownNamespaceError struct{ URI string }

func (e *UnknownNamespaceError) Error() string {
	return fmt.Sprintf("the server has no namespace %q", e.URI)
}

// index is the index of the namespace with a URI.
func (s *space) index(uri string) (uint16, error) {
	if uri == "" {
		return 0, nil
	}
	index, known := s.indices[uri]
	if !known {
		return 0, &UnknownNamespaceError{uri}
	}
	return index, nil
}

// uri is the URI of the namespace with an index, "" for that of the standard. An index that the server has not told of is written
// as a URI that says so.
func (s *space) uri(index uint16) string {
	switch {
	case index == 0:
		return ""
	case s == nil || int(index) >= len(s.namespaces):
		return "urn:unknown-namespace:" + strconv.Itoa(int(index))
	default:
		return s.namespaces[index]
	}
}

// ref is the NodeRef of a node id of this server.
func (s *space) ref(id binary.NodeID) NodeRef {
	if id.IsNull() {
		return NodeRef{}
	}
	return refIn(s.uri(id.Namespace), id)
}

// refIn is the NodeRef of a node id in the namespace with a URI, whatever the index in the id is.
func refIn(uri string, id binary.NodeID) NodeRef {
	n := NodeRef{Namespace: uri, Kind: id.Kind}
	switch id.Kind {
	case 's':
		n.Identifier = id.Text
	case 'g':
		n.Identifier = id.GUID.String()
	case 'b':
		n.Identifier = base64.StdEncoding.EncodeToString([]byte(id.Text))
	default:
		n.Kind, n.Identifier = 'i', strconv.FormatUint(uint64(id.Number), 10)
	}
	return n
}

// expanded is the NodeRef of an expanded node id.
func (s *space) expanded(id binary.ExpandedNodeID) NodeRef {
	switch id.URI {
	case "":
		return s.ref(id.NodeID)
	case StandardNamespace:
		id.Namespace = 0
		return s.ref(id.NodeID)
	default:
		return refIn(id.URI, id.NodeID)
	}
}

// local is the node id of an expanded node id, if it is of this server.
func (s *space) local(id binary.ExpandedNodeID) (binary.NodeID, bool) {
	if id.Server != 0 {
		return binary.NodeID{}, false
	}
	if id.URI == "" {
		return id.NodeID, true
	}
	index, known := s.indices[id.URI]
	id.NodeID.Namespace = index
	return id.NodeID, known
}

func (s *space) name(q binary.QualifiedName) QualifiedName {
	return QualifiedName{Namespace: s.uri(q.Namespace), Name: q.Name}
}

func (s *space) qualified(q QualifiedName) (binary.QualifiedName, error) {
	index, err := s.index(q.Namespace)
	return binary.QualifiedName{Namespace: index, Name: q.Name}, err
}
