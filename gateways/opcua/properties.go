package opcua

import (
	"context"
	"slices"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/internal/opcua/mapping"
)

// properties are units and ranges of variables, as members of JSON, by the nodes that hold them.
type properties map[propertyNodes][]byte

type propertyNodes struct{ units, span opcua.NodeRef }

// of are the members for a variable, with a comma before each.
func (p properties) of(v *mapping.ValuePlan) []byte { return p[propertyNodes{v.Units, v.Range}] }

// propertiesAtOnce is of how many variables they are read in a request. What is kept of them is short, whatever a server says.
const propertiesAtOnce = 250

// readProperties reads what the mapping asks for. What a server does not tell is left out.
func readProperties(ctx context.Context, c *opcua.Connection, plan *mapping.Plan) (properties, error) {
	var wanted []propertyNodes
	for _, item := range plan.Items {
		if v, ok := item.Key.(*mapping.ValuePlan); ok && !(v.Units.IsZero() && v.Range.IsZero()) {
			wanted = append(wanted, propertyNodes{v.Units, v.Range})
		}
	}
	all := properties{}
	for part := range slices.Chunk(wanted, propertiesAtOnce) {
		if err := all.read(ctx, c, part); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// read reads the properties of some variables.
func (p properties) read(ctx context.Context, c *opcua.Connection, of []propertyNodes) error {
	var nodes []opcua.NodeRef
	for _, n := range of {
		for _, ref := range []opcua.NodeRef{n.units, n.span} {
			if !ref.IsZero() {
				nodes = append(nodes, ref)
			}
		}
	}
	values, err := c.Read(ctx, nodes...)
	if err != nil {
		return err
	}
	by := make(map[opcua.NodeRef]opcua.Variant, len(values))
	for _, v := range values {
		if v.Status.Good() {
			by[v.Node] = v.Value
		}
	}
	for _, n := range of {
		if text := propertiesJSON(by[n.units], by[n.span]); text != nil {
			p[n] = text
		}
	}
	return nil
}

// maxUnit is how many bytes a unit has that is told. It comes with each value.
const maxUnit = 256

// propertiesJSON are the members "unit" and "range" with a comma before each; nil if there are none.
func propertiesJSON(units, span opcua.Variant) (text []byte) {
	if name, ok := units.Field("DisplayName").Text(); ok && name != "" && len(name) <= maxUnit {
		text = opcua.AppendText(append(text, `,"unit":`...), name)
	}
	low, high := span.Field("Low"), span.Field("High")
	_, okLow := low.Float()
	_, okHigh := high.Float()
	if okLow && okHigh {
		text = low.AppendJSON(append(text, `,"range":{"low":`...), opcua.Plain)
		text = high.AppendJSON(append(text, `,"high":`...), opcua.Plain)
		text = append(text, '}')
	}
	return text
}
