package opcua

import (
	"context"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/internal/opcua/mapping"
)

// properties are units and ranges of variables, as members of JSON, by the nodes that hold them.
type properties map[propertyNodes][]byte

type propertyNodes struct{ units, span opcua.NodeRef }

// of are the members for a variable, with a comma before each.
func (p properties) of(v *mapping.ValuePlan) []byte { return p[propertyNodes{v.Units, v.Range}] }

// readProperties reads what the mapping asks for. What a server does not tell is left out.
func readProperties(ctx context.Context, c *opcua.Connection, plan *mapping.Plan) (properties, error) {
	var nodes []opcua.NodeRef
	for _, item := range plan.Items {
		if v, ok := item.Key.(*mapping.ValuePlan); ok {
			for _, ref := range []opcua.NodeRef{v.Units, v.Range} {
				if !ref.IsZero() {
					nodes = append(nodes, ref)
				}
			}
		}
	}
	if len(nodes) == 0 {
		return nil, nil
	}
	values, err := c.Read(ctx, nodes...)
	if err != nil {
		return nil, err
	}
	by := make(map[opcua.NodeRef]opcua.Variant, len(values))
	for _, v := range values {
		if v.Status.Good() {
			by[v.Node] = v.Value
		}
	}
	all := properties{}
	for _, item := range plan.Items {
		if v, ok := item.Key.(*mapping.ValuePlan); ok {
			if text := propertiesJSON(by[v.Units], by[v.Range]); text != nil {
				all[propertyNodes{v.Units, v.Range}] = text
			}
		}
	}
	return all, nil
}

// propertiesJSON are the members "unit" and "range" with a comma before each; nil if there are none.
func propertiesJSON(units, span opcua.Variant) (text []byte) {
	if name, ok := units.Field("DisplayName").Text(); ok && name != "" {
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
