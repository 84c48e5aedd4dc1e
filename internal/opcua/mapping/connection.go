package mapping

import (
	"context"
	"errors"

	"github.com/fairlead/fairlead/internal/opcua"
)

// At is the address space of a server that is connected.
func At(c *opcua.Connection) Space { return connected{c} }

type connected struct{ connection *opcua.Connection }

// unknown are the status codes of a node that is not there: BadNodeIdUnknown and BadNodeIdInvalid.
var unknown = map[opcua.Status]bool{0x80340000: true, 0x80330000: true}

// Browse asks the server.
func (s connected) Browse(ctx context.Context, node opcua.NodeRef) (*opcua.TreeNode, error) {
	tree, err := s.connection.Browse(ctx, node, opcua.Bounds{Depth: 1})
	var status opcua.Status
	switch {
	case errors.As(err, &status) && unknown[status]:
		return nil, nil
	case err != nil:
		return nil, err
	default:
		return tree.Root, nil
	}
}
