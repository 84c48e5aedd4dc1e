package mapping

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/internal/registry"
)

// A Space is the address space of a server.
type Space interface {
	// Browse is a node with the nodes that its hierarchical references lead to, or nil if there is no such node. The children
	// of those need not be there. An error ends the resolution.
	Browse(ctx context.Context, node opcua.NodeRef) (*opcua.TreeNode, error)
}

// root is where browse paths begin.
var root = opcua.NodeRef{Kind: 'i', Identifier: "84"}

// A match is a node that a reference names.
type match struct {
	node   *opcua.TreeNode
	parent opcua.NodeRef
	names  []string // browse names from where the path begins
	stars  []string // what each star of the path stands for
	wild   []string // browse names that segments with a star matched
}

// path is the browse path of the match.
func (m *match) path() string { return strings.Join(m.names, "/") }

// value fills a placeholder of a name.
func (m *match) value(placeholder string) string {
	if placeholder == placeholderName {
		return m.names[len(m.names)-1]
	}
	var n int
	if _, err := fmt.Sscan(placeholder, &n); err != nil || n < 1 || n > len(m.stars) {
		return ""
	}
	return m.stars[n-1]
}

// A finder looks for nodes in a Space, and asks it for each of them once.
type finder struct {
	space Space
	nodes map[opcua.NodeRef]*opcua.TreeNode
	bytes int // that they take, about
}

// maxSpace is how many bytes the nodes take that are remembered while a mapping is resolved. A server could tell of ever more.
const maxSpace = 256 << 20

// ErrTooLarge is the error of an address space that is too large to look for nodes in.
var ErrTooLarge = errors.New("the patterns of the mapping lead to more nodes than can be looked at: name fewer with a star")

func (f *finder) browse(ctx context.Context, ref opcua.NodeRef) (*opcua.TreeNode, error) {
	if n, known := f.nodes[ref]; known {
		return n, nil
	}
	n, err := f.space.Browse(ctx, ref)
	if err != nil {
		return nil, err
	}
	f.nodes[ref] = n
	if n != nil {
		for _, c := range n.Children {
			const node = 300
			f.bytes += node + len(c.Ref.Identifier) + len(c.BrowseName.Name) + len(c.DisplayName) + len(c.DataType)
		}
	}
	if f.bytes > maxSpace {
		return nil, ErrTooLarge
	}
	return n, nil
}

// find looks for what a reference names, seen from a node. If there is nothing, missing says so, with what is nearest.
func (f *finder) find(ctx context.Context, from match, to *reference) (found []match, missing string, err error) {
	if !to.id.IsZero() {
		return f.byID(ctx, to.id)
	}
	if to.path.absolute {
		if from, err = f.start(ctx); err != nil {
			return nil, "", err
		}
	}
	found = []match{{node: from.node, parent: from.parent, names: nil}}
	if len(to.path.segments) == 0 {
		found[0].names = from.names
		return found, "", nil
	}
	for i := range to.path.segments {
		next, err := f.step(ctx, found, &to.path.segments[i])
		if err != nil {
			return nil, "", err
		}
		if len(next) > maxMatches {
			return nil, fmt.Sprintf("%s matches more than %d nodes", quoted(to.path.text), maxMatches), nil
		}
		if len(next) == 0 {
			return nil, f.missing(ctx, from, found[0], &to.path.segments[i]), nil
		}
		found = next
	}
	return found, "", nil
}

// maxMatches bounds what one pattern matches below one node.
const maxMatches = 100_000

// start is the root of the address space.
func (f *finder) start(ctx context.Context) (match, error) {
	n, err := f.browse(ctx, root)
	if err == nil && n == nil {
		err = fmt.Errorf("the server has no root node")
	}
	return match{node: n}, err
}

// step follows one segment from every node.
func (f *finder) step(ctx context.Context, from []match, s *segment) (next []match, err error) {
	for _, m := range from {
		n, err := f.browse(ctx, m.node.Ref)
		if err != nil {
			return nil, err
		}
		if n == nil {
			continue
		}
		if len(next) > maxMatches {
			break
		}
		for _, c := range n.Children {
			stars, ok := s.match(c.BrowseName)
			if !ok {
				continue
			}
			to := match{
				node: c, parent: n.Ref, names: append(slices.Clip(m.names), c.BrowseName.Name), stars: append(slices.Clip(m.stars), stars...),
				wild: m.wild,
			}
			if s.wild() {
				to.wild = append(slices.Clip(m.wild), c.BrowseName.Name)
			}
			next = append(next, to)
		}
	}
	return distinct(next), nil
}

// distinct drops nodes that two references lead to.
func distinct(list []match) []match {
	seen := map[opcua.NodeRef]bool{}
	return slices.DeleteFunc(list, func(m match) bool {
		twice := seen[m.node.Ref]
		seen[m.node.Ref] = true
		return twice
	})
}

// missing says what is not there, and what is nearest to it.
func (f *finder) missing(ctx context.Context, from, at match, s *segment) string {
	where := strings.Join(slices.Concat(from.names, at.names), "/")
	if where == "" {
		where = "the root"
	}
	var children []*opcua.TreeNode
	if n, err := f.browse(ctx, at.node.Ref); err == nil && n != nil {
		children = n.Children
	}
	return fmt.Sprintf("%s has no node %s%s", where, s.text, s.nearest(children))
}

// byID finds one node.
func (f *finder) byID(ctx context.Context, id opcua.NodeRef) ([]match, string, error) {
	n, err := f.browse(ctx, id)
	if err != nil {
		return nil, "", err
	}
	if n != nil {
		return []match{{node: n, names: []string{n.BrowseName.Name}}}, "", nil
	}
	return nil, fmt.Sprintf("there is no node %s%s", id, f.nearestID(ctx, id)), nil
}

// mostVisited bounds the nodes that are looked at for one that is near.
const mostVisited = 500

// nearestID is the id of a node that was probably meant, as an ending of a message. It looks at the nodes that are close to the
// folder of objects.
func (f *finder) nearestID(ctx context.Context, id opcua.NodeRef) string {
	known := map[string]opcua.NodeRef{}
	visited := map[opcua.NodeRef]bool{}
	for queue := []opcua.NodeRef{opcua.ObjectsFolder}; len(queue) > 0 && len(visited) < mostVisited; {
		ref := queue[0]
		queue = queue[1:]
		if visited[ref] {
			continue
		}
		visited[ref] = true
		n, err := f.browse(ctx, ref)
		if err != nil || n == nil {
			continue
		}
		for _, c := range n.Children {
			if c.Ref.Namespace != "" || id.Namespace == "" {
				known[c.Ref.Identifier] = c.Ref
				queue = append(queue, c.Ref)
			}
		}
	}
	if ref, ok := known[id.Identifier]; ok {
		return ": did you mean " + ref.String() + "?"
	}
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	if near := registry.Nearest(id.Identifier, names); near != "" {
		return ": did you mean " + known[near].String() + "?"
	}
	return ""
}
