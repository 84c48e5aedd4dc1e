package triggers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/triggers/cesql"
)

// ErrNotBoolean is the reason for refusing a CESQL expression that yields a
// number or a text. Knative accepts it; its Go filter panics at the first event,
// and its Kafka dispatcher takes it for a boolean.
var ErrNotBoolean = errors.New("the expression is not boolean: compare the number or text with something, for instance LENGTH(subject) > 0")

// clusterFunction is a function that only a cluster has.
const clusterFunction = "KN_VERIFY_CORRELATION_ID"

// A cesqlFilter matches if the expression yields true.
type cesqlFilter struct{ expression *cesql.Expression }

func (f *cesqlFilter) match(e *Event) (bool, error) { return f.expression.Test(e) }

// newCESQL parses an expression and refuses what cannot be boolean.
func newCESQL(text string) (matcher, error) {
	expression, err := cesql.Parse(text)
	if err != nil {
		return nil, err
	}
	if calls := expression.UnknownFunctions(); len(calls) > 0 {
		return nil, unknownFunction(calls[0])
	}
	if t := expression.Type(); t == cesql.Integer || t == cesql.String {
		return nil, ErrNotBoolean
	}
	return &cesqlFilter{expression}, nil
}

// unknownFunction says what is wrong with a call.
func unknownFunction(call cesql.Call) error {
	switch known := cesql.Functions(); {
	case call.Name == clusterFunction:
		return fmt.Errorf("%s needs a Secret of the cluster and cannot be decided on here", clusterFunction)
	case len(known[call.Name]) > 0:
		return fmt.Errorf("%s takes %s, not %d; the Kafka dispatcher takes the call as FALSE", call.Name, strings.Join(known[call.Name], " or "), call.Arguments)
	}
	return fmt.Errorf("function %.40s is unknown; the Kafka dispatcher takes the call as FALSE", call.Name)
}

var _ matcher = (*cesqlFilter)(nil)
