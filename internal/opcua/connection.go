package opcua

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/opcua/binary"
	"github.com/fairlead/fairlead/internal/opcua/channel"
)

// mostInRequest is how many nodes or items are in one request, unless the server takes fewer.
const mostInRequest = 500

// A Connection is one session at a server. Its methods may be called from any goroutine; their errors are about the
// connection or about what was asked for, and a [Status] if the server gave one (errors.As).
type Connection struct {
	config   *EndpointConfig
	channel  *channel.Channel
	endpoint *endpoint
	user     user
	session  session
	space    *space
	started  time.Time // when the server started
	limits   struct{ read, browse, monitor int }
	log      *zap.Logger
	items    atomic.Int64 // that are monitored
	resumed  bool
	learning sync.Mutex // held while data types are asked for
}

// Dial connects once, for command lines: nothing is monitored, and nothing is connected again.
func Dial(ctx context.Context, c EndpointConfig, log *zap.Logger) (*Connection, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	conn, _, err := connect(ctx, &c, nil, log)
	return conn, err
}

// Info is about the connection.
func (c *Connection) Info() Info {
	return Info{ServerURI: c.session.serverURI, Namespaces: c.space.namespaces, Items: int(c.items.Load()), Resumed: c.resumed}
}

// Close ends the session and the connection.
func (c *Connection) Close() error {
	defer c.channel.Close()
	if c.session.token.IsNull() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.config.Timeout)
	defer cancel()
	_, err := do[*binary.CloseSessionResponse](ctx, c, &binary.CloseSessionRequest{DeleteSubscriptions: true})
	return err
}

// do sends a request in the session, and waits for the response.
func do[P binary.Response](ctx context.Context, c *Connection, q binary.Request) (P, error) {
	var none P
	p, err := c.channel.Do(ctx, q, c.session.token)
	if err != nil {
		return none, err
	}
	response, ok := p.(P)
	if !ok {
		return none, fmt.Errorf("the server answers %T with %T", q, p)
	}
	return response, nil
}

// errCount is the error of a response with more or fewer results than were asked for.
var errCount = errors.New("the server answers with another number of results")

// valueOf is what is read for the value of a node.
func valueOf(n binary.NodeID) binary.ReadValueID {
	return binary.ReadValueID{NodeID: n, AttributeID: uint32(ua.AttributeIDValue)}
}

// readAttributes reads attributes, in as many requests as the server wants.
func (c *Connection) readAttributes(ctx context.Context, what []binary.ReadValueID) ([]binary.DataValue, error) {
	all := make([]binary.DataValue, 0, len(what))
	for len(what) > 0 {
		limit := c.limits.read
		if limit == 0 {
			limit = mostInRequest
		}
		part := what[:min(len(what), limit)]
		what = what[len(part):]
		const both = 2
		p, err := do[*binary.ReadResponse](ctx, c, &binary.ReadRequest{TimestampsToReturn: both, NodesToRead: part})
		if err != nil {
			return nil, err
		}
		if len(p.Results) != len(part) {
			return nil, errCount
		}
		all = append(all, p.Results...)
	}
	return all, nil
}

// Read reads the values of nodes. Each has its own status. Key is nil.
func (c *Connection) Read(ctx context.Context, nodes ...NodeRef) ([]Value, error) {
	what := make([]binary.ReadValueID, len(nodes))
	for i, n := range nodes {
		node, err := c.space.node(n)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", n, err)
		}
		what[i] = valueOf(node)
	}
	results, err := c.readAttributes(ctx, what)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	values := make([]Value, len(nodes))
	for i := range values {
		c.learnTypes(ctx, &results[i].Value)
		values[i] = Value{Node: nodes[i], DataValue: c.space.dataValue(&results[i])}
	}
	return values, nil
}

// Write writes the value of a node. JSON is read as the data type that the node has, in both forms of [Variant.AppendJSON]. Where any
// type may stand, a value keeps the type that the node has now, if it fits. An error of type *ValueError says that the JSON does not
// fit. Otherwise the status says whether the server has written it.
func (c *Connection) Write(ctx context.Context, node NodeRef, value json.RawMessage) (Status, error) {
	n, err := c.space.node(node)
	if err != nil {
		return 0, fmt.Errorf("writing %s: %w", node, err)
	}
	results, err := c.readAttributes(ctx, []binary.ReadValueID{
		{NodeID: n, AttributeID: uint32(ua.AttributeIDDataType)},
		{NodeID: n, AttributeID: uint32(ua.AttributeIDValueRank)},
		valueOf(n),
	})
	if err != nil {
		return 0, fmt.Errorf("writing %s: reading its data type: %w", node, err)
	}
	dataType, isNode := results[0].Value.Value.(binary.NodeID)
	switch {
	case results[0].Status.Bad():
		return results[0].Status, nil
	case !isNode:
		return 0, fmt.Errorf("writing %s: the server tells no data type", node)
	}
	rank, _ := results[1].Value.Value.(int32)
	v, err := c.parseLike(ctx, value, dataType, rank, &results[2].Value)
	if err != nil {
		return 0, fmt.Errorf("writing %s: %w", node, err)
	}
	p, err := do[*binary.WriteResponse](ctx, c, &binary.WriteRequest{NodesToWrite: []binary.WriteValue{{NodeID: n,
		AttributeID: uint32(ua.AttributeIDValue), Value: binary.DataValue{HasValue: true, Value: v}}}})
	if err != nil {
		return 0, fmt.Errorf("writing %s: %w", node, err)
	}
	if len(p.Results) != 1 {
		return 0, fmt.Errorf("writing %s: %w", node, errCount)
	}
	return p.Results[0], nil
}

// parseLike is parse for a node with a present value: where any type may stand, JSON that does not name one is of the type that the
// value has, if it fits.
func (c *Connection) parseLike(ctx context.Context, text json.RawMessage, dataType binary.NodeID, rank int32, present *binary.Variant) (binary.Variant, error) {
	if typ := builtinType(dataType); typ != nil && typ.builtin == binary.TypeVariant && !present.Array && present.Type != binary.TypeNull {
		if v, err := c.parse(ctx, text, binary.Numeric(uint32(present.Type)), -1); err == nil {
			return v, nil
		}
	}
	return c.parse(ctx, text, dataType, rank)
}

// A CallResult is how a call ended.
type CallResult struct {
	Status    Status
	Arguments []Status  // of each argument, if the server says that one is wrong
	Outputs   []Variant // of a call that was good
}

// Call calls a method of an object. Arguments are read as the data types that the method asks for, as in Write; their number
// has to be right.
func (c *Connection) Call(ctx context.Context, object, method NodeRef, arguments []json.RawMessage) (CallResult, error) {
	q := binary.CallMethodRequest{}
	var err error
	if q.ObjectID, err = c.space.node(object); err == nil {
		q.MethodID, err = c.space.node(method)
	}
	if err != nil {
		return CallResult{}, fmt.Errorf("calling %s: %w", method, err)
	}
	if q.InputArguments, err = c.arguments(ctx, q.MethodID, arguments); err != nil {
		return CallResult{}, fmt.Errorf("calling %s: %w", method, err)
	}
	p, err := do[*binary.CallResponse](ctx, c, &binary.CallRequest{MethodsToCall: []binary.CallMethodRequest{q}})
	if err != nil {
		return CallResult{}, fmt.Errorf("calling %s: %w", method, err)
	}
	if len(p.Results) != 1 {
		return CallResult{}, fmt.Errorf("calling %s: %w", method, errCount)
	}
	r := &p.Results[0]
	result := CallResult{Status: r.StatusCode, Arguments: r.InputArgumentResults}
	for i := range r.OutputArguments {
		c.learnTypes(ctx, &r.OutputArguments[i])
		result.Outputs = append(result.Outputs, Variant{r.OutputArguments[i], c.space})
	}
	return result, nil
}

// arguments reads JSON as the arguments that a method asks for.
func (c *Connection) arguments(ctx context.Context, method binary.NodeID, given []json.RawMessage) ([]binary.Variant, error) {
	wanted, err := c.inputArguments(ctx, method)
	if err != nil {
		return nil, fmt.Errorf("reading its arguments: %w", err)
	}
	if len(given) != len(wanted) {
		return nil, &ValueError{Reason: fmt.Sprintf("%d arguments are given, %d are needed", len(given), len(wanted))}
	}
	values := make([]binary.Variant, len(given))
	for i, a := range wanted {
		if values[i], err = c.parse(ctx, given[i], a.DataType, a.ValueRank); err != nil {
			var wrong *ValueError
			if errors.As(err, &wrong) {
				return nil, &ValueError{Path: a.Name + wrong.Path, Reason: wrong.Reason}
			}
			return nil, err
		}
	}
	return values, nil
}

// inputArguments reads what arguments a method takes: the value of its property InputArguments, which it lacks if it takes none.
func (c *Connection) inputArguments(ctx context.Context, method binary.NodeID) ([]binary.Argument, error) {
	property, err := c.translate(ctx, method, []binary.RelativePathElement{{ReferenceTypeID: binary.Numeric(id.HasProperty),
		TargetName: binary.QualifiedName{Name: "InputArguments"}}})
	if err != nil || property.IsNull() {
		return nil, err
	}
	values, err := c.readAttributes(ctx, []binary.ReadValueID{valueOf(property)})
	if err != nil {
		return nil, err
	}
	objects, _ := values[0].Value.Value.([]binary.ExtensionObject)
	all := make([]binary.Argument, len(objects))
	for i, o := range objects {
		if err := binary.NewReader(o.Body, c.config.MaxMessage).Decode(&all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Resolve follows a path of browse names from a node ("TranslateBrowsePathsToNodeIds"). The zero NodeRef and no error say that
// there is no such node.
func (c *Connection) Resolve(ctx context.Context, start NodeRef, path []QualifiedName) (NodeRef, error) {
	from, err := c.space.node(start)
	if err != nil {
		return NodeRef{}, fmt.Errorf("resolving a path from %s: %w", start, err)
	}
	elements := make([]binary.RelativePathElement, len(path))
	for i, name := range path {
		target, err := c.space.qualified(name)
		if err != nil {
			return NodeRef{}, fmt.Errorf("resolving a path from %s: %w", start, err)
		}
		elements[i] = binary.RelativePathElement{ReferenceTypeID: binary.Numeric(id.HierarchicalReferences), IncludeSubtypes: true, TargetName: target}
	}
	found, err := c.translate(ctx, from, elements)
	if err != nil {
		return NodeRef{}, fmt.Errorf("resolving a path from %s: %w", start, err)
	}
	return c.space.ref(found), nil
}

// translate follows a path; the null id says that it leads nowhere.
func (c *Connection) translate(ctx context.Context, start binary.NodeID, path []binary.RelativePathElement) (binary.NodeID, error) {
	p, err := do[*binary.TranslateBrowsePathsResponse](ctx, c, &binary.TranslateBrowsePathsRequest{
		BrowsePaths: []binary.BrowsePath{{StartingNode: start, RelativePath: path}}})
	if err != nil {
		return binary.NodeID{}, err
	}
	if len(p.Results) != 1 {
		return binary.NodeID{}, errCount
	}
	r := &p.Results[0]
	if r.StatusCode.Bad() && r.StatusCode != binary.StatusBadNoMatch {
		return binary.NodeID{}, r.StatusCode
	}
	for _, target := range r.Targets {
		const whole = 1<<32 - 1 // the path ends here
		if node, here := c.space.local(target.TargetID); here && target.RemainingPathIndex == whole {
			return node, nil
		}
	}
	return binary.NodeID{}, nil
}
