package opcua

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/opcua/binary"
	"github.com/fairlead/fairlead/internal/opcua/channel"
)

// A dataType is what a server says about a data type.
type dataType struct {
	name      string
	builtin   binary.Type // what its values are; TypeVariant if any built-in type may stand there
	structure *structure  // if its values are structures of this form
	unknown   bool        // its values are structures of a form that the server does not tell
}

// A structure is the form of a structured data type.
type structure struct {
	name     string
	node     binary.NodeID // of the data type
	encoding binary.NodeID // of its binary encoding
	kind     uint32
	fields   []field
}

// A field is one of a structure.
type field struct {
	name     string
	typ      *dataType
	rank     int32
	optional bool
	subtypes bool // a structure that is derived from the type may stand there, and says which
}

// The kinds of structures.
const (
	kindPlain    = 0
	kindOptional = 1
	kindUnion    = 2
	kindSubtypes = 3
	kindUnionOf  = 4 // a union with subtypes
)

// The bounds of what is learned about data types.
const (
	mostTypes   = 2000
	mostParents = 20
	mostMembers = 20_000 // fields of all structures
	mostName    = 512    // bytes of a name (OPC 10000-3, 8.3)
)

var errTypes = errors.New("the server has too many data types, or too large ones, or they lie too deep within each other")

// structure is the form of the structures that an ExtensionObject of a type holds, if it is known.
func (s *space) structure(encoding binary.ExpandedNodeID) *structure {
	if s == nil {
		return nil
	}
	node, here := s.local(encoding)
	if !here {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byEnc[node]
}

// learnTypes asks the server for the forms of the structures in a value that are not known yet. What cannot be learned stays bytes.
func (c *Connection) learnTypes(ctx context.Context, v *binary.Variant) {
	switch x := v.Value.(type) {
	case binary.ExtensionObject:
		c.learnType(ctx, &x)
	case []binary.ExtensionObject:
		for i := range x {
			c.learnType(ctx, &x[i])
		}
	case *binary.Variant:
		c.learnTypes(ctx, x)
	case []*binary.Variant:
		for _, inner := range x {
			c.learnTypes(ctx, inner)
		}
	case binary.DataValue:
		c.learnTypes(ctx, &x.Value)
	}
}

func (c *Connection) learnType(ctx context.Context, e *binary.ExtensionObject) {
	node, here := c.space.local(e.Type)
	if !here || e.Encoding != binary.BodyBinary || node.IsNull() {
		return
	}
	c.space.mu.RLock()
	_, known := c.space.byEnc[node]
	full := len(c.space.byEnc) >= mostTypes
	c.space.mu.RUnlock()
	if known || full {
		return
	}
	c.learning.Lock()
	form, err := c.structureOf(ctx, node)
	c.learning.Unlock()
	if err != nil {
		c.log.Debug("The form of a structure is not known: its bytes are told.", zap.Stringer("encoding", c.space.ref(node)), zap.Error(err))
		switch {
		case ctx.Err() != nil || c.channel.Err() != nil:
			return
		case errors.Is(err, channel.ErrTimeout): // or each value would be waited for as long
			c.channel.Fail(fmt.Errorf("asking for a data type: %w", err))
			return
		}
	}
	c.space.mu.Lock()
	c.space.byEnc[node] = form
	c.space.mu.Unlock()
}

var errNoForm = errors.New("the server does not tell the form of the structure")

// structureOf is the form of the structure that has an encoding.
func (c *Connection) structureOf(ctx context.Context, encoding binary.NodeID) (*structure, error) {
	node, err := c.parent(ctx, encoding, id.HasEncoding)
	if err != nil {
		return nil, err
	}
	if node.IsNull() {
		return nil, errNoForm
	}
	typ, err := c.dataType(ctx, node, 0)
	if err != nil {
		return nil, err
	}
	if typ.structure == nil {
		return nil, errNoForm
	}
	return typ.structure, nil
}

// parent is the node that has a reference of a type to a node; null if there is none.
func (c *Connection) parent(ctx context.Context, of binary.NodeID, reference uint32) (binary.NodeID, error) {
	const inverse = 1
	p, err := do[*binary.BrowseResponse](ctx, c, &binary.BrowseRequest{NodesToBrowse: []binary.BrowseDescription{{NodeID: of,
		BrowseDirection: inverse, ReferenceTypeID: binary.Numeric(reference), IncludeSubtypes: true}}})
	switch {
	case err != nil:
		return binary.NodeID{}, err
	case len(p.Results) != 1:
		return binary.NodeID{}, errCount
	case p.Results[0].StatusCode.Bad():
		return binary.NodeID{}, p.Results[0].StatusCode
	case len(p.Results[0].References) == 0:
		return binary.NodeID{}, nil
	}
	node, _ := c.space.local(p.Results[0].References[0].NodeID)
	return node, nil
}

// dataType is what the server says about a data type; depth is how many types have led to it. The caller holds learning.
func (c *Connection) dataType(ctx context.Context, node binary.NodeID, depth int) (*dataType, error) {
	if builtin := builtinType(node); builtin != nil {
		return builtin, nil
	}
	c.space.mu.RLock()
	known, full := c.space.types[node], len(c.space.types) >= mostTypes
	c.space.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	if full || depth > mostParents {
		return nil, errTypes
	}
	values, err := c.readAttributes(ctx, []binary.ReadValueID{
		{NodeID: node, AttributeID: uint32(ua.AttributeIDBrowseName)},
		{NodeID: node, AttributeID: uint32(ua.AttributeIDDataTypeDefinition)},
	})
	if err != nil {
		return nil, err
	}
	if values[0].Status.Bad() {
		return nil, values[0].Status
	}
	name, _ := values[0].Value.Value.(binary.QualifiedName)
	if len(name.Name) > mostName {
		return nil, errTypes
	}
	typ := &dataType{name: name.Name}
	definition, _ := values[1].Value.Value.(binary.ExtensionObject)
	if definition.Type.NodeID == binary.Numeric(id.StructureDefinition_Encoding_DefaultBinary) {
		typ.builtin = binary.TypeExtensionObject
		return typ, c.define(ctx, node, typ, definition.Body, depth)
	}
	if base, err := c.parent(ctx, node, id.HasSubtype); err != nil {
		return nil, err
	} else if parent, err := c.dataType(ctx, base, depth+1); err != nil {
		return nil, err
	} else {
		typ.builtin = parent.builtin
	}
	typ.structure = standardStructure(node, name.Name)
	typ.unknown = typ.builtin == binary.TypeExtensionObject && typ.structure == nil
	c.remember(node, typ)
	return typ, nil
}

func (c *Connection) remember(node binary.NodeID, typ *dataType) {
	c.space.mu.Lock()
	defer c.space.mu.Unlock()
	c.space.types[node] = typ
}

// define reads the form of a structured data type. The type is remembered before its fields, which may be of the same type.
func (c *Connection) define(ctx context.Context, node binary.NodeID, typ *dataType, definition []byte, depth int) error {
	var d binary.StructureDefinition
	if err := binary.NewReader(definition, c.config.MaxMessage).Decode(&d); err != nil {
		return errors.Join(errNoForm, err)
	}
	if err := c.countFields(d.Fields); err != nil {
		typ.unknown = true
		return err
	}
	form := &structure{name: typ.name, node: node, encoding: d.DefaultEncodingID, kind: d.StructureType}
	c.remember(node, typ)
	for _, f := range d.Fields {
		of, err := c.dataType(ctx, f.DataType, depth+1)
		if err != nil {
			typ.unknown = true
			return err
		}
		form.fields = append(form.fields, field{name: f.Name, typ: of, rank: f.ValueRank, optional: f.IsOptional && d.StructureType == kindOptional,
			subtypes: f.IsOptional && (d.StructureType == kindSubtypes || d.StructureType == kindUnionOf)})
	}
	typ.structure = form
	return nil
}

// countFields counts the fields of one more structure.
func (c *Connection) countFields(fields []binary.StructureField) error {
	c.space.fields += len(fields)
	if c.space.fields > mostMembers || slices.ContainsFunc(fields, func(f binary.StructureField) bool { return len(f.Name) > mostName }) {
		return errTypes
	}
	return nil
}

// builtinType is the type with a number of a built-in type, or one that stands for several of them.
func builtinType(node binary.NodeID) *dataType {
	if node.Namespace != 0 || node.Kind != 'i' {
		return nil
	}
	switch node.Number {
	case id.BaseDataType, id.Number, id.Integer, id.UInteger, 0:
		return &dataType{name: "BaseDataType", builtin: binary.TypeVariant}
	case id.Enumeration:
		return &dataType{name: "Enumeration", builtin: binary.TypeInt32}
	}
	if t := binary.Type(node.Number); node.Number <= uint32(binary.TypeDiagnosticInfo) {
		return &dataType{name: t.String(), builtin: t}
	}
	return nil
}

// standardStructure is the form of a structure of the standard that old servers do not tell.
func standardStructure(node binary.NodeID, name string) *structure {
	plain := func(t binary.Type) *dataType { return &dataType{name: t.String(), builtin: t} }
	scalar := func(name string, t binary.Type) field { return field{name: name, typ: plain(t), rank: -1} }
	switch node {
	case binary.Numeric(id.Range):
		return &structure{name: name, node: node, encoding: binary.Numeric(id.Range_Encoding_DefaultBinary),
			fields: []field{scalar("Low", binary.TypeDouble), scalar("High", binary.TypeDouble)}}
	case binary.Numeric(id.EUInformation):
		return &structure{name: name, node: node, encoding: binary.Numeric(id.EUInformation_Encoding_DefaultBinary),
			fields: []field{scalar("NamespaceUri", binary.TypeString), scalar("UnitId", binary.TypeInt32),
				scalar("DisplayName", binary.TypeLocalizedText), scalar("Description", binary.TypeLocalizedText)}}
	default:
		return nil
	}
}
