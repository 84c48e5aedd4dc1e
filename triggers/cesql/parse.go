package cesql

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/antlr/antlr4/runtime/Go/antlr"
	"github.com/cloudevents/sdk-go/sql/v2/gen"
	"github.com/cloudevents/sdk-go/sql/v2/parser"
)

// MaxBytes is the length of the longest expression that is parsed. Parsing takes time and stack in proportion: some
// 30 ms at most.
const MaxBytes = 4096

// An Expression is a parsed expression. It is immutable and safe for concurrent use.
type Expression struct{ root node }

// Parse reads an expression. It refuses what the Java library refuses, and two things more: characters that are not
// CESQL, which that one drops, and a LIKE pattern with `\E`, after which that one takes the rest for a regular expression.
func Parse(text string) (e *Expression, err error) {
	defer func() {
		if r := recover(); r != nil { // the generated parser panics on some malformed input
			e, err = nil, errors.New("malformed expression")
		}
	}()
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("longer than %d bytes", MaxBytes)
	}
	var listener syntaxErrors
	lexer := gen.NewCESQLParserLexer(parser.NewCaseChangingStream(antlr.NewInputStream(text), true))
	lexer.RemoveErrorListeners()
	lexer.AddErrorListener(&listener)
	p := gen.NewCESQLParserParser(antlr.NewCommonTokenStream(lexer, antlr.TokenDefaultChannel))
	p.RemoveErrorListeners()
	p.AddErrorListener(&listener)
	p.SetErrorHandler(&firstError{antlr.NewDefaultErrorStrategy(), &listener})
	tree := p.Cesql()
	if listener.first != nil {
		return nil, listener.first
	}
	b := builder{}
	root := b.node(tree.(*gen.CesqlContext).Expression())
	if b.err != nil {
		return nil, b.err
	}
	return &Expression{root}, nil
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

// firstError has the parser leave at the first error. What it does by itself to go on after one takes time that grows with the
// square of the depth: 18 s for an expression of brackets that are not closed.
type firstError struct {
	*antlr.DefaultErrorStrategy
	errors *syntaxErrors
}

// RecoverInline is called where a token is not the expected one. The panic ends the innermost rule only.
func (s *firstError) RecoverInline(p antlr.Parser) antlr.Token {
	if s.errors.first != nil {
		panic(antlr.NewInputMisMatchException(p))
	}
	return s.DefaultErrorStrategy.RecoverInline(p)
}

// ReportError tells of the first error.
func (s *firstError) ReportError(p antlr.Parser, e antlr.RecognitionException) {
	if s.errors.first == nil {
		s.DefaultErrorStrategy.ReportError(p, e)
	}
}

// Recover looks for nothing to go on with.
func (s *firstError) Recover(antlr.Parser, antlr.RecognitionException) {}

// Sync looks for what is to be passed over, as long as there is no error.
func (s *firstError) Sync(p antlr.Parser) {
	if s.errors.first == nil {
		s.DefaultErrorStrategy.Sync(p)
	}
}

// A builder turns a syntax tree into nodes and keeps the first error.
type builder struct{ err error }

func (b *builder) fail(format string, arguments ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, arguments...)
	}
}

func (b *builder) node(tree antlr.Tree) node {
	switch t := tree.(type) {
	case *gen.SubExpressionContext:
		return b.node(t.Expression())
	case *gen.AtomExpressionContext:
		return b.atom(t.Atom())
	case *gen.FunctionInvocationExpressionContext:
		return b.call(t)
	case *gen.UnaryLogicExpressionContext:
		return &not{b.node(t.Expression())}
	case *gen.UnaryNumericExpressionContext:
		return &negate{b.node(t.Expression())}
	case *gen.LikeExpressionContext:
		like := &like{b.node(t.Expression()), b.pattern(t.StringLiteral().GetText())}
		return negated(t.NOT() != nil, like)
	case *gen.ExistsExpressionContext:
		return &exists{strings.ToLower(t.Identifier().GetText())}
	case *gen.InExpressionContext:
		in := &in{left: b.node(t.Expression())}
		for _, member := range t.SetExpression().(*gen.SetExpressionContext).AllExpression() {
			in.set = append(in.set, b.node(member))
		}
		return negated(t.NOT() != nil, in)
	case *gen.BinaryMultiplicativeExpressionContext:
		return &arithmetic{operator(t), b.node(t.Expression(0)), b.node(t.Expression(1))}
	case *gen.BinaryAdditiveExpressionContext:
		return &arithmetic{operator(t), b.node(t.Expression(0)), b.node(t.Expression(1))}
	case *gen.BinaryComparisonExpressionContext:
		return &compare{operator(t), b.node(t.Expression(0)), b.node(t.Expression(1))}
	case *gen.BinaryLogicExpressionContext:
		return &logic{operator(t), b.node(t.Expression(0)), b.node(t.Expression(1))}
	}
	b.fail("malformed expression")
	return &literal{}
}

// operator is what stands between the two operands, in upper case.
func operator(tree antlr.Tree) string {
	return strings.ToUpper(tree.GetChild(1).(antlr.TerminalNode).GetText())
}

func negated(negate bool, n node) node {
	if negate {
		return &not{n}
	}
	return n
}

func (b *builder) atom(tree antlr.Tree) node {
	switch t := tree.(type) {
	case *gen.BooleanAtomContext:
		return &literal{boolean(strings.EqualFold(t.GetText(), "true"))}
	case *gen.IntegerAtomContext:
		i, err := strconv.ParseInt(t.GetText(), 10, 32)
		if err != nil {
			b.fail("%.40s is out of range: integers have 32 bits", t.GetText())
		}
		return &literal{integer(int32(i))}
	case *gen.StringAtomContext:
		return &literal{text(unquote(t.GetText()))}
	case *gen.IdentifierAtomContext:
		return &attribute{t.GetText()}
	}
	b.fail("malformed expression")
	return &literal{}
}

// unquote is the value of a string literal: only the quote that encloses it can be escaped, by a backslash.
// A quote that is doubled stays doubled, and every other backslash stays.
func unquote(quoted string) string {
	quote := quoted[:1]
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\`+quote, quote)
}

func (b *builder) pattern(quoted string) pattern {
	text := unquote(quoted)
	if strings.Contains(text, `\E`) {
		b.fail(`a LIKE pattern must not contain \E: the Kafka dispatcher takes what follows for a regular expression; write _ for the backslash`)
	}
	return newPattern(text)
}

func (b *builder) call(t *gen.FunctionInvocationExpressionContext) node {
	c := &call{name: strings.ToUpper(t.FunctionIdentifier().GetText())}
	for _, argument := range t.FunctionParameterList().(*gen.FunctionParameterListContext).AllExpression() {
		c.arguments = append(c.arguments, b.node(argument))
	}
	c.function = resolve(c.name, len(c.arguments))
	return c
}

var (
	_ antlr.ErrorListener = (*syntaxErrors)(nil)
	_ antlr.ErrorStrategy = (*firstError)(nil)
)
