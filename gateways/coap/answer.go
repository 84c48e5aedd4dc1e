package coap

import (
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	protocol "github.com/fairlead/fairlead/internal/coap"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/outcome"
)

// answer says what became of a message, by the table of outcomes, with a text for people where there is one to give.
func answer(result outcome.Result) protocol.Response {
	r := protocol.Diagnostic(codes.Code(result.Outcome.CoAP()), diagnostic(result))
	if r.Code == codes.ServiceUnavailable {
		r.Options = message.Options{protocol.UintOption(message.MaxAge, outcome.RetryAfter)}
	}
	return r
}

func diagnostic(result outcome.Result) string {
	switch result.Outcome {
	case outcome.Accepted, outcome.Dropped:
		return ""
	case outcome.Unauthenticated, outcome.Forbidden:
		return "Authentication failed"
	case outcome.Invalid:
		return "Invalid data: " + result.Reason
	case outcome.Internal:
		return "The message could not be stored"
	default:
		return result.Reason
	}
}

// deniedLogin answers a log-in that did not succeed. When no decision can be had it says so.
func deniedLogin(err error) protocol.Response {
	result := outcome.ResultOf(err)
	switch result.Outcome {
	case outcome.Unauthenticated, outcome.Forbidden, outcome.Invalid:
		return answer(result)
	case outcome.Overloaded, outcome.Unavailable:
		result.Reason = "Failed to authenticate: " + result.Reason
		return answer(result)
	default:
		return answer(outcome.Result{Outcome: outcome.Unavailable, Reason: "Failed to authenticate"})
	}
}

// commanded hands a command over.
func (g *Gateway) commanded(c command.Command) protocol.Response {
	r := protocol.Response{Code: codes.Content, Body: c.Payload, Options: message.Options{{ID: optionCommand, Value: []byte(c.Name)}}}
	if c.Respond {
		r.Options = append(r.Options, message.Option{ID: optionCorrelation, Value: []byte(c.Correlation)})
	}
	if format, ok := g.formats.option(c.ContentType); ok {
		r.Options = append(r.Options, protocol.UintOption(message.ContentFormat, format))
	}
	return r
}
