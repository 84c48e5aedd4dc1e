package cesql

import (
	"fmt"
	"slices"
)

// Type is what can be said of the result without an event: Any depends on it.
func (e *Expression) Type() Type { return typeOf(e.root) }

func typeOf(n node) Type {
	switch n := n.(type) {
	case *literal:
		return n.value.kind
	case *attribute:
		if specified(n.name) {
			return String
		}
		return Any
	case *call:
		if n.function != nil {
			return n.function.result
		}
	case *negate, *arithmetic:
		return Integer
	}
	return Boolean
}

// specified tells whether an attribute is one of the CloudEvents specification, all of which are texts here.
func specified(name string) bool {
	switch name {
	case "subject", "time", "datacontenttype", "dataschema":
		return true
	}
	return mandatory(name)
}

// Attributes names the attributes that the expression reads, as they are written, in the order of the text.
func (e *Expression) Attributes() []string {
	var names []string
	walk(e.root, func(n node) {
		if a, ok := n.(*attribute); ok && !slices.Contains(names, a.name) {
			names = append(names, a.name)
		}
	})
	return names
}

// A Call is a function as it is called.
type Call struct {
	Name      string // in upper case
	Arguments int
}

// UnknownFunctions are the calls of functions that do not exist, or not with that number of arguments.
func (e *Expression) UnknownFunctions() []Call {
	var calls []Call
	walk(e.root, func(n node) {
		if c, ok := n.(*call); ok && c.function == nil {
			calls = append(calls, Call{c.name, len(c.arguments)})
		}
	})
	return calls
}

// Functions lists, by name, the numbers of arguments that each function takes, in words.
func Functions() map[string][]string {
	known := map[string][]string{}
	for name, all := range functions {
		for _, f := range all {
			words := fmt.Sprintf("%d arguments", len(f.parameters))
			switch {
			case f.variadic:
				words = fmt.Sprintf("%d or more arguments", len(f.parameters)-1)
			case len(f.parameters) == 1:
				words = "1 argument"
			}
			known[name] = append(known[name], words)
		}
	}
	return known
}

// ComparedTexts are the attributes that the expression compares with a text literal by = or !=, each with that text.
func (e *Expression) ComparedTexts() map[string][]string {
	found := map[string][]string{}
	walk(e.root, func(n node) {
		c, ok := n.(*compare)
		if !ok || c.orders() {
			return
		}
		for _, pair := range [][2]node{{c.left, c.right}, {c.right, c.left}} {
			a, isAttribute := pair[0].(*attribute)
			l, isLiteral := pair[1].(*literal)
			if isAttribute && isLiteral && l.value.kind == String {
				found[a.name] = append(found[a.name], l.value.s)
			}
		}
	})
	return found
}

// orders tells whether the operator is one of <, <=, > and >=.
func (c *compare) orders() bool {
	return c.operator[0] == '<' && c.operator != "<>" || c.operator[0] == '>'
}

// OrdersTexts tells whether <, <=, > or >= stands beside the time, or a text literal that is no integer: both sides are
// compared as integers, and such a text is 0.
func (e *Expression) OrdersTexts() (found bool) {
	walk(e.root, func(n node) {
		c, ok := n.(*compare)
		if !ok || !c.orders() {
			return
		}
		for _, side := range []node{c.left, c.right} {
			if a, ok := side.(*attribute); ok && a.name == "time" {
				found = true
			}
			if l, ok := side.(*literal); ok && l.value.kind == String {
				if _, isInt := parseInt(l.value.s); !isInt {
					found = true
				}
			}
		}
	})
	return found
}

// walk visits a node and all below it, in the order of the text.
func walk(n node, visit func(node)) {
	visit(n)
	for _, child := range children(n) {
		walk(child, visit)
	}
}

func children(n node) []node {
	switch n := n.(type) {
	case *not:
		return []node{n.operand}
	case *negate:
		return []node{n.operand}
	case *logic:
		return []node{n.left, n.right}
	case *compare:
		return []node{n.left, n.right}
	case *arithmetic:
		return []node{n.left, n.right}
	case *like:
		return []node{n.operand}
	case *in:
		return append([]node{n.left}, n.set...)
	case *call:
		return n.arguments
	}
	return nil
}

// Unguarded names the attributes that the expression may read from an event that does not have them: which are neither
// in every event nor asked for by EXISTS before. always tells which attributes every event has.
func (e *Expression) Unguarded(always func(name string) bool) []string {
	g := guard{always: always}
	g.visit(e.root, nil)
	return g.found
}

type guard struct {
	always func(string) bool
	found  []string
}

// visit looks for attributes that may be missing, where known are the names that exist if the node is evaluated.
func (g *guard) visit(n node, known []string) {
	switch n := n.(type) {
	case *attribute:
		if !g.always(n.name) && !slices.Contains(known, n.name) && !slices.Contains(g.found, n.name) {
			g.found = append(g.found, n.name)
		}
	case *logic:
		g.visit(n.left, known)
		switch n.operator {
		case "AND":
			g.visit(n.right, append(slices.Clone(known), implied(n.left, true)...))
		case "OR":
			g.visit(n.right, append(slices.Clone(known), implied(n.left, false)...))
		default:
			g.visit(n.right, known)
		}
	default:
		for _, child := range children(n) {
			g.visit(child, known)
		}
	}
}

// implied names the attributes that exist if a node yields a result.
func implied(n node, result bool) []string {
	switch n := n.(type) {
	case *exists:
		if result {
			return []string{n.name}
		}
	case *not:
		return implied(n.operand, !result)
	case *logic:
		if n.operator == "AND" && result || n.operator == "OR" && !result {
			return append(implied(n.left, result), implied(n.right, result)...)
		}
		// Both sides lead there: what both imply.
		if n.operator != "XOR" {
			right := implied(n.right, result)
			return slices.DeleteFunc(implied(n.left, result), func(name string) bool { return !slices.Contains(right, name) })
		}
	}
	return nil
}
