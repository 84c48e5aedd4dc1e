package triggers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/antlr/antlr4/runtime/Go/antlr"
	cesql "github.com/cloudevents/sdk-go/sql/v2"
	"github.com/cloudevents/sdk-go/sql/v2/gen"
	"github.com/cloudevents/sdk-go/sql/v2/parser"
	"github.com/cloudevents/sdk-go/sql/v2/runtime"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/cloudevents/sdk-go/v2/event"
)

// MaxCESQLBytes is the length of the longest CESQL expression that is parsed. Parsing
// takes time and stack in proportion: some 30 ms at most.
const MaxCESQLBytes = 4096

// ErrNotBoolean is the reason for refusing a CESQL expression that yields a
// number or a text. Knative accepts it, and its Go filter panics at the first event.
var ErrNotBoolean = errors.New("the expression is not boolean")

// A cesqlFilter matches if the expression yields true. An expression that fails on
// an event, for instance because an attribute is missing, does not match, as in Knative.
type cesqlFilter struct{ expression cesql.Expression }

func (f *cesqlFilter) match(e *event.Event) (ok bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			ok, err = false, fmt.Errorf("evaluate cesql: %v", r)
		}
	}()
	result, err := f.expression.Evaluate(*e)
	if err != nil {
		return false, nil
	}
	ok, isBool := result.(bool)
	if !isBool {
		return false, fmt.Errorf("evaluate cesql: %w, it yields a %s", ErrNotBoolean, cesql.TypeFromVal(result))
	}
	return ok, nil
}

// newCESQL parses an expression and refuses what cannot be boolean.
func newCESQL(text string) (m matcher, err error) {
	defer func() {
		if r := recover(); r != nil { // the SDK's parser panics on some malformed input
			m, err = nil, errors.New("malformed expression")
		}
	}()
	tree, err := parseCESQL(text)
	if err != nil {
		return nil, err
	}
	if name := unknownFunction(tree); name != "" {
		return nil, fmt.Errorf("function %.40s with that number of arguments is unknown", name)
	}
	if kindOf(tree) == kindOther {
		return nil, ErrNotBoolean
	}
	expression, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	return &cesqlFilter{expression: expression}, nil
}

// parseCESQL makes the syntax tree. It runs before the SDK's parser because
// that one prints to standard error, drops characters that it does not know and
// panics on some input.
func parseCESQL(text string) (antlr.ParseTree, error) {
	if len(text) > MaxCESQLBytes {
		return nil, fmt.Errorf("longer than %d bytes", MaxCESQLBytes)
	}
	var listener syntaxErrors
	lexer := gen.NewCESQLParserLexer(parser.NewCaseChangingStream(antlr.NewInputStream(text), true))
	lexer.RemoveErrorListeners()
	lexer.AddErrorListener(&listener)
	p := gen.NewCESQLParserParser(antlr.NewCommonTokenStream(lexer, antlr.TokenDefaultChannel))
	p.RemoveErrorListeners()
	p.AddErrorListener(&listener)
	tree := p.Cesql()
	if listener.first != nil {
		return nil, listener.first
	}
	return tree.(*gen.CesqlContext).Expression(), nil
}

// syntaxErrors keeps the first error of lexer and parser.
type syntaxErrors struct {
	antlr.DefaultErrorListener
	first error
}

// SyntaxError is called for each error.
func (s *syntaxErrors) SyntaxError(_ antlr.Recognizer, _ any, line, column int, message string, _ antlr.RecognitionException) {
	if s.first == nil {
		s.first = fmt.Errorf("line %d, column %d: %.200s", line, column+1, message)
	}
}

// A kind is what can be said of an expression's result without an event.
type kind int

const (
	kindUnknown kind = iota // depends on the event
	kindBoolean
	kindOther // a number or a text
)

// kindOf infers the kind of an expression.
func kindOf(tree antlr.Tree) kind {
	switch t := tree.(type) {
	case *gen.SubExpressionContext:
		return kindOf(t.Expression())
	case *gen.AtomExpressionContext:
		return kindOf(t.Atom())
	case *gen.IdentifierAtomContext:
		if spec.V1.Attribute(strings.ToLower(t.GetText())) != nil {
			return kindOther // the attributes of the specification are texts
		}
		return kindUnknown
	case *gen.FunctionInvocationExpressionContext:
		if fn := functionOf(t); fn != nil && fn.ReturnType() != cesql.BooleanType {
			return kindOther
		}
		return kindBoolean
	case *gen.IntegerAtomContext, *gen.StringAtomContext, *gen.UnaryNumericExpressionContext,
		*gen.BinaryMultiplicativeExpressionContext, *gen.BinaryAdditiveExpressionContext:
		return kindOther
	}
	return kindBoolean // literals, logic, comparison, LIKE, EXISTS, IN
}

func functionOf(t *gen.FunctionInvocationExpressionContext) cesql.Function {
	arguments := t.FunctionParameterList().(*gen.FunctionParameterListContext).AllExpression()
	return runtime.ResolveFunction(t.FunctionIdentifier().GetText(), len(arguments))
}

// unknownFunction is the name of a function in the tree that does not exist: every
// evaluation that reaches it fails.
func unknownFunction(tree antlr.Tree) string {
	if t, ok := tree.(*gen.FunctionInvocationExpressionContext); ok && functionOf(t) == nil {
		return t.FunctionIdentifier().GetText()
	}
	for _, child := range tree.GetChildren() {
		if name := unknownFunction(child); name != "" {
			return name
		}
	}
	return ""
}

var (
	_ matcher             = (*cesqlFilter)(nil)
	_ antlr.ErrorListener = (*syntaxErrors)(nil)
)
