package opcua

import (
	"context"
	"encoding/json"
	"errors"

	"go.uber.org/zap"
)

// ErrNotConnected is the error of requests while there is no connection.
var ErrNotConnected = errors.New("the OPC UA server is not connected")

// A Server is one OPC UA server, seen from here.
type Server struct{}

// NewServer checks the configuration, and makes the client's certificate if there is none. Nothing is connected yet.
func NewServer(c EndpointConfig, items Items, h Handler, log *zap.Logger) (*Server, error) {
	return nil, errors.ErrUnsupported
}

// Run connects, monitors the items, hands over what the server tells and connects again after failures, until ctx ends. The
// subscriptions stay at the server, for whoever runs next with the same folder, unless [Server.Forget] was called. It returns
// nil when ctx has ended.
func (s *Server) Run(ctx context.Context) error { return errors.ErrUnsupported }

// Forget makes Run delete its subscriptions at the server when it ends.
func (s *Server) Forget() {}

// Ready returns nil if the server is connected and its items are monitored.
func (s *Server) Ready(context.Context) error { return errors.ErrUnsupported }

// Refresh asks for the items again, and monitors what is new and no longer what is gone, without a new connection.
func (s *Server) Refresh() {}

// Connection is the connection that is there, or ErrNotConnected.
func (s *Server) Connection() (*Connection, error) { return nil, ErrNotConnected }

// Dial connects once, for command lines: nothing is monitored, and nothing is connected again.
func Dial(ctx context.Context, c EndpointConfig, log *zap.Logger) (*Connection, error) {
	return nil, errors.ErrUnsupported
}

// A Connection is one session at a server. Its methods may be called from any goroutine; their errors are about the
// connection or about what was asked for, and [Status] if the server gave one (errors.As).
type Connection struct{}

// Info is about the connection.
func (c *Connection) Info() Info { return Info{} }

// Close ends the session.
func (c *Connection) Close() error { return nil }

// Read reads the values of nodes. Each has its own status. Key is nil.
func (c *Connection) Read(ctx context.Context, nodes ...NodeRef) ([]Value, error) {
	return nil, errors.ErrUnsupported
}

// Write writes the value of a node. JSON is read as the data type that the node has (see [Variant.AppendJSON], form Plain; the
// form Reversible is read too). An error of type *ValueError says that the JSON does not fit. Otherwise the status says
// whether the server has written it.
func (c *Connection) Write(ctx context.Context, node NodeRef, value json.RawMessage) (Status, error) {
	return 0, errors.ErrUnsupported
}

// Call calls a method of an object. Arguments are read as the data types that the method asks for, as in Write; their number
// has to be right.
func (c *Connection) Call(ctx context.Context, object, method NodeRef, arguments []json.RawMessage) (CallResult, error) {
	return CallResult{}, errors.ErrUnsupported
}

// Resolve follows a path of browse names from a node ("TranslateBrowsePathsToNodeIds"). The zero NodeRef and no error say that
// there is no such node.
func (c *Connection) Resolve(ctx context.Context, start NodeRef, path []QualifiedName) (NodeRef, error) {
	return NodeRef{}, errors.ErrUnsupported
}

// A CallResult is how a call ended.
type CallResult struct {
	Status    Status
	Arguments []Status  // of each argument, if the server says that one is wrong
	Outputs   []Variant // of a call that was good
}

// A ValueError says why JSON is no value of a data type.
type ValueError struct {
	Path   string // within the value, such as "[3].Low"; "" is all of it
	Reason string
}

func (e *ValueError) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Path + ": " + e.Reason
}
