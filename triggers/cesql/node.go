package cesql

import (
	"errors"
	"fmt"
)

// An Event is what an expression is evaluated on.
type Event interface {
	// Value is an attribute by its exact name: a string, an int32 or a bool. The error tells that the dispatcher throws
	// the event away when an expression reads that attribute.
	Value(name string) (v any, ok bool, err error)
	// Has tells whether the event has an attribute of that name, which is in lower case.
	Has(name string) bool
}

// maxText bounds the texts that one evaluation makes, in bytes.
const maxText = 16 << 20

var errTooMuchText = errors.New("the expression makes more than 16 MiB of text from one event")

// Test evaluates the expression as a filter does: what is not boolean in the end is cast, and false if it cannot be. It
// fails where the event cannot be decided on at all; the dispatcher then throws it away.
func (e *Expression) Test(event Event) (bool, error) {
	r := run{event: event}
	result := e.root.eval(&r).cast(Boolean)
	return result.b && r.err == nil, r.err
}

// A run is one evaluation.
type run struct {
	event Event
	made  int
	err   error // the first failure that is more than an error of CESQL
}

func (r *run) fail(err error) value {
	if r.err == nil {
		r.err = err
	}
	return boolean(false)
}

// text is a text that was made, and fails when there are too many.
func (r *run) text(s string) value {
	if r.made += len(s); r.made > maxText {
		return r.fail(errTooMuchText).cast(String)
	}
	return text(s)
}

// A node is a part of an expression.
type node interface{ eval(r *run) value }

type literal struct{ value value }

func (l *literal) eval(*run) value { return l.value }

type attribute struct{ name string }

func (a *attribute) eval(r *run) value {
	v, ok, err := r.event.Value(a.name)
	if err != nil {
		return r.fail(err)
	}
	if !ok {
		return missing
	}
	switch v := v.(type) {
	case bool:
		return boolean(v)
	case int32:
		return integer(v)
	case string:
		return text(v)
	}
	return r.fail(fmt.Errorf("attribute %q is a %T", a.name, v))
}

type exists struct{ name string }

// mandatory tells whether every event has an attribute.
func mandatory(name string) bool {
	return name == "id" || name == "source" || name == "type" || name == "specversion"
}

func (e *exists) eval(r *run) value { return boolean(mandatory(e.name) || r.event.Has(e.name)) }

type not struct{ operand node }

func (n *not) eval(r *run) value {
	v := n.operand.eval(r)
	if v.missing {
		return boolean(false)
	}
	return boolean(!v.cast(Boolean).b)
}

type negate struct{ operand node }

func (n *negate) eval(r *run) value {
	v := n.operand.eval(r)
	if v.missing {
		return integer(0)
	}
	return integer(-v.cast(Integer).i)
}

type logic struct {
	operator    string
	left, right node
}

func (l *logic) eval(r *run) value {
	left := l.left.eval(r).cast(Boolean)
	switch {
	case l.operator == "XOR":
		return boolean(left.b != l.right.eval(r).cast(Boolean).b)
	case left.b == (l.operator == "OR"): // the right side does not matter
		return left
	}
	return l.right.eval(r).cast(Boolean)
}

type compare struct {
	operator    string
	left, right node
}

func (c *compare) eval(r *run) value {
	left, right := c.left.eval(r), c.right.eval(r)
	if left.missing || right.missing {
		return boolean(false)
	}
	switch c.operator {
	case "=":
		return boolean(same(left.cast(right.kind), right))
	case "!=", "<>":
		return boolean(!same(left.cast(right.kind), right))
	}
	x, y := left.cast(Integer).i, right.cast(Integer).i
	switch c.operator {
	case "<":
		return boolean(x < y)
	case "<=":
		return boolean(x <= y)
	case ">":
		return boolean(x > y)
	}
	return boolean(x >= y)
}

type arithmetic struct {
	operator    string
	left, right node
}

func (a *arithmetic) eval(r *run) value {
	left, right := a.left.eval(r), a.right.eval(r)
	if left.missing || right.missing {
		return integer(0)
	}
	x, y := left.cast(Integer).i, right.cast(Integer).i
	switch a.operator {
	case "+":
		return integer(x + y)
	case "-":
		return integer(x - y)
	case "*":
		return integer(x * y)
	}
	if y == 0 {
		return integer(0)
	}
	if a.operator == "/" {
		return integer(x / y)
	}
	return integer(x % y)
}

type like struct {
	operand node
	pattern pattern
}

func (l *like) eval(r *run) value { return boolean(l.pattern.match(l.operand.eval(r).text())) }

type in struct {
	left node
	set  []node
}

func (n *in) eval(r *run) value {
	left := n.left.eval(r)
	for _, member := range n.set {
		if same(left, member.eval(r).cast(left.kind)) {
			return boolean(true)
		}
	}
	return boolean(false)
}

type call struct {
	name      string
	arguments []node
	function  *function // nil: unknown, which yields false
}

func (c *call) eval(r *run) value {
	if c.function == nil {
		return boolean(false)
	}
	arguments := make([]value, len(c.arguments))
	for i, argument := range c.arguments {
		arguments[i] = argument.eval(r).cast(c.function.parameter(i))
		arguments[i].missing = false
	}
	return c.function.call(r, arguments)
}
