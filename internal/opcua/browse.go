package opcua

import (
	"context"
	"errors"
	"time"
)

// Bounds bound a walk through the address space of a server. 0 is the default.
type Bounds struct {
	Depth int           // levels below the start; 16
	Nodes int           // in all; 100,000
	Time  time.Duration // 1 min
}

// A NodeClass is what a node is.
type NodeClass string

// The classes that a walk finds.
const (
	ClassObject   NodeClass = "Object"
	ClassVariable NodeClass = "Variable"
	ClassMethod   NodeClass = "Method"
	ClassView     NodeClass = "View"
)

// A Tree is a part of an address space. A node that is reached on several ways stands where it was found first, and elsewhere
// without children.
type Tree struct {
	Root *TreeNode
	// Truncated says which bound was reached; "" if the tree is whole.
	Truncated string
}

// A TreeNode is a node in a Tree.
type TreeNode struct {
	Ref            NodeRef
	BrowseName     QualifiedName
	DisplayName    string
	Class          NodeClass
	TypeDefinition NodeRef // of objects and variables
	DataType       string  // of a variable: the name of the built-in type or of the structure, "Double[]" for an array
	Property       bool    // a property of its parent
	Children       []*TreeNode
}

// ObjectsFolder is where the objects of a server are.
var ObjectsFolder = NodeRef{Kind: 'i', Identifier: "85"}

// Browse walks through the address space from a node along hierarchical references.
func (c *Connection) Browse(ctx context.Context, start NodeRef, b Bounds) (*Tree, error) {
	return nil, errors.ErrUnsupported
}
