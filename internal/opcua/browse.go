package opcua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/opcua/binary"
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

// nodeClasses are the classes by their bits (OPC 10000-3, 8.29).
var nodeClasses = map[uint32]NodeClass{1: ClassObject, 2: ClassVariable, 4: ClassMethod, 128: ClassView}

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
	DataType       string  // of a variable: the name of its data type, "Double[]" for an array; "" if the server does not tell
	Property       bool    // a property of its parent
	Children       []*TreeNode
}

// ObjectsFolder is where the objects of a server are.
var ObjectsFolder = NodeRef{Kind: 'i', Identifier: "85"}

// The bounds of a request of a walk.
const (
	mostReferences = 1000 // that are asked for at once
	mostEmpty      = 10   // answers of a continuation point without a reference
	mostWays       = 10   // references to a node, on average
)

// Browse walks through the address space from a node along hierarchical references, level by level.
func (c *Connection) Browse(ctx context.Context, start NodeRef, b Bounds) (*Tree, error) {
	set(&b.Depth, 16)
	set(&b.Nodes, 100_000)
	set(&b.Time, time.Minute)
	ctx, cancel := context.WithTimeout(ctx, b.Time)
	defer cancel()
	node, err := c.space.node(start)
	if err != nil {
		return nil, fmt.Errorf("browsing: %w", err)
	}
	w := &walk{Connection: c, bounds: b, tree: &Tree{Root: &TreeNode{Ref: start}}, seen: map[binary.NodeID]bool{node: true}}
	if err := w.describe(ctx, node); err != nil {
		return nil, fmt.Errorf("browsing %s: %w", start, err)
	}
	err = w.levels(ctx, []visit{{node, w.tree.Root}})
	if err == nil {
		err = w.types(ctx)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil && len(w.seen) > 1:
		w.tree.Truncated = fmt.Sprintf("the walk took more than %s", b.Time)
	case err != nil:
		return nil, fmt.Errorf("browsing %s: %w", start, err)
	}
	return w.tree, nil
}

// A walk is one call of Browse.
type walk struct {
	*Connection
	bounds     Bounds
	tree       *Tree
	seen       map[binary.NodeID]bool
	variables  []visit
	references int // that were followed
}

// A visit is a node of the server and of the tree.
type visit struct {
	node binary.NodeID
	tree *TreeNode
}

// describe reads what the root is.
func (w *walk) describe(ctx context.Context, node binary.NodeID) error {
	values, err := w.readAttributes(ctx, []binary.ReadValueID{
		{NodeID: node, AttributeID: uint32(ua.AttributeIDBrowseName)},
		{NodeID: node, AttributeID: uint32(ua.AttributeIDDisplayName)},
		{NodeID: node, AttributeID: uint32(ua.AttributeIDNodeClass)},
	})
	if err != nil {
		return err
	}
	if values[0].Status.Bad() {
		return values[0].Status
	}
	root := w.tree.Root
	if name, ok := values[0].Value.Value.(binary.QualifiedName); ok {
		root.BrowseName = w.space.name(name)
	}
	if text, ok := values[1].Value.Value.(binary.LocalizedText); ok {
		root.DisplayName = text.Text
	}
	if class, ok := values[2].Value.Value.(int32); ok {
		root.Class = nodeClasses[uint32(class)]
	}
	if root.Class == ClassVariable {
		w.variables = append(w.variables, visit{node, root})
	}
	return nil
}

// levels walks from the nodes of one level to those of the next.
func (w *walk) levels(ctx context.Context, level []visit) error {
	for depth := 0; len(level) > 0 && w.tree.Truncated == ""; depth++ {
		if depth == w.bounds.Depth {
			w.tree.Truncated = fmt.Sprintf("there may be more below %d levels", depth)
			return nil
		}
		var below []visit
		for part := range slices.Chunk(level, w.limits.browse) {
			found, err := w.children(ctx, part)
			if err != nil {
				return err
			}
			below = append(below, found...)
		}
		level = below
	}
	return nil
}

// children finds what is below some nodes, and puts it into the tree.
func (w *walk) children(ctx context.Context, nodes []visit) (found []visit, err error) {
	q := &binary.BrowseRequest{RequestedMaxReferencesPerNode: mostReferences}
	for _, v := range nodes {
		const everything = 63
		q.NodesToBrowse = append(q.NodesToBrowse, binary.BrowseDescription{NodeID: v.node, ReferenceTypeID: binary.Numeric(id.HierarchicalReferences),
			IncludeSubtypes: true, NodeClassMask: 1 | 2 | 4 | 128, ResultMask: everything})
	}
	p, err := do[*binary.BrowseResponse](ctx, w.Connection, q)
	if err != nil {
		return nil, err
	}
	if len(p.Results) != len(nodes) {
		return nil, errCount
	}
	for i := range p.Results {
		below, err := w.all(ctx, nodes[i].tree, &p.Results[i])
		if err != nil {
			return nil, err
		}
		found = append(found, below...)
	}
	return found, nil
}

// all follows the continuation points of one node, which a server could give without end.
func (w *walk) all(ctx context.Context, parent *TreeNode, r *binary.BrowseResult) (found []visit, err error) {
	empty, there := 0, map[binary.NodeID]bool{}
	for {
		found = append(found, w.place(parent, there, r.References)...)
		if len(r.ContinuationPoint) == 0 {
			return found, nil
		}
		if len(r.References) == 0 {
			empty++
		}
		if empty > mostEmpty {
			w.tree.Truncated = "the server continues without telling more"
		}
		release := w.tree.Truncated != ""
		p, err := do[*binary.BrowseNextResponse](ctx, w.Connection, &binary.BrowseNextRequest{ReleaseContinuationPoints: release,
			ContinuationPoints: [][]byte{r.ContinuationPoint}})
		switch {
		case err != nil:
			return found, err
		case release:
			return found, nil
		case len(p.Results) != 1:
			return found, errCount
		}
		r = &p.Results[0]
	}
}

// place puts references into the tree, and returns those to nodes that no other has led to. there are those of the parent so far.
func (w *walk) place(parent *TreeNode, there map[binary.NodeID]bool, references []binary.ReferenceDescription) (found []visit) {
	for i := range references {
		r := &references[i]
		node, here := w.space.local(r.NodeID)
		w.references++
		switch {
		case w.tree.Truncated != "":
			return found
		case len(w.seen) >= w.bounds.Nodes, w.references > mostWays*w.bounds.Nodes:
			w.tree.Truncated = fmt.Sprintf("there are more than %d nodes, or more than %d references to each", w.bounds.Nodes, mostWays)
			return found
		case !here || there[node]:
			continue
		case isTooLong(r):
			w.log.Debug("A node is left out: its names are longer than names may be.", zap.Int("name", len(r.BrowseName.Name)))
			continue
		}
		there[node] = true
		child := &TreeNode{Ref: w.space.ref(node), BrowseName: w.space.name(r.BrowseName), DisplayName: r.DisplayName.Text,
			Class: nodeClasses[r.NodeClass], TypeDefinition: w.space.expanded(r.TypeDefinition),
			Property: r.ReferenceTypeID == binary.Numeric(id.HasProperty)}
		parent.Children = append(parent.Children, child)
		if child.Class == ClassVariable {
			w.variables = append(w.variables, visit{node, child})
		}
		if !w.seen[node] {
			w.seen[node] = true
			found = append(found, visit{node, child})
		}
	}
	return found
}

// isTooLong tells whether a name or an identifier is longer than the standard allows. A server could have the memory filled with them.
func isTooLong(r *binary.ReferenceDescription) bool {
	return len(r.BrowseName.Name) > mostName || len(r.DisplayName.Text) > maxIdentifier || len(r.NodeID.Text) > maxIdentifier ||
		len(r.TypeDefinition.Text) > maxIdentifier || len(r.TypeDefinition.URI) > mostURI
}

// types reads the data types of the variables.
func (w *walk) types(ctx context.Context) error {
	names := map[binary.NodeID]string{}
	for part := range slices.Chunk(w.variables, max(1, w.limits.read/2)) {
		var what []binary.ReadValueID
		for _, v := range part {
			what = append(what, binary.ReadValueID{NodeID: v.node, AttributeID: uint32(ua.AttributeIDDataType)},
				binary.ReadValueID{NodeID: v.node, AttributeID: uint32(ua.AttributeIDValueRank)})
		}
		values, err := w.readAttributes(ctx, what)
		if err != nil {
			return err
		}
		for i, v := range part {
			dataType, ok := values[2*i].Value.Value.(binary.NodeID)
			if !ok {
				continue
			}
			name, err := w.typeName(ctx, names, dataType)
			if err != nil {
				return err
			}
			if rank, _ := values[2*i+1].Value.Value.(int32); rank > 0 {
				const most = 10
				name += strings.Repeat("[]", int(min(rank, most)))
			}
			v.tree.DataType = name
		}
	}
	return nil
}

// typeName is the name of a data type.
func (w *walk) typeName(ctx context.Context, names map[binary.NodeID]string, dataType binary.NodeID) (string, error) {
	if builtin := builtinType(dataType); builtin != nil {
		return builtin.name, nil
	}
	name, known := names[dataType]
	if known {
		return name, nil
	}
	values, err := w.readAttributes(ctx, []binary.ReadValueID{{NodeID: dataType, AttributeID: uint32(ua.AttributeIDBrowseName)}})
	if err != nil {
		return "", err
	}
	q, _ := values[0].Value.Value.(binary.QualifiedName)
	if len(q.Name) <= mostName {
		names[dataType] = q.Name
	}
	return names[dataType], nil
}
