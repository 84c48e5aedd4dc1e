package coap

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/plgd-dev/go-coap/v3/message"

	protocol "github.com/fairlead/fairlead/internal/coap"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/outcome"
)

// The options of the wire contract.
const (
	optionAuthorization message.OptionID = 4209 // critical: an HTTP-style Authorization
	optionCommand       message.OptionID = 4210 // elective: name of the command in a response
	optionCorrelation   message.OptionID = 4214 // elective: what a device repeats in its answer to the command
)

// commandsChannel is the path segment under which GET finds commands.
const commandsChannel = "commands"

// An optionList has the options of a request, by number.
type optionList interface {
	Option(id message.OptionID) func(yield func([]byte) bool)
}

var _ optionList = (*protocol.Request)(nil)

// A target is what the path and the query of a request say.
type target struct {
	channel string
	whole   bool // nothing follows the channel
	query   endpoint.Query
}

// targetOf reads path and query. Errors are outcome.Invalid.
func targetOf(r optionList) (t target, err error) {
	depth := 0
	for segment := range r.Option(message.URIPath) {
		switch depth++; depth {
		case 1:
			if string(segment) != "v1" {
				return t, errPath()
			}
		case 2:
			t.channel = string(segment)
		}
		if !utf8.Valid(segment) {
			return t, outcome.New(outcome.Invalid, "the path is not UTF-8")
		}
	}
	if t.channel == "" {
		return t, errPath()
	}
	t.whole = depth == 2
	raw, err := rawQuery(r)
	if err != nil {
		return t, err
	}
	if t.query, err = endpoint.ParseQuery(raw); t.query.Correlation != "" && answers(r) {
		t.channel = command.ResponseChannel
	}
	return t, err
}

// answers tells whether a path is that of answers to commands.
func answers(r optionList) bool {
	return slices.Equal(segmentsOf(r), append([]string{"v1"}, strings.Split(command.ResponseChannel, "/")...))
}

// discovers tells whether a request asks which resources there are (RFC 6690 section 4). The gateway does not tell, and a
// client shall see that, and not that it has made a mistake.
func discovers(r optionList) bool {
	return slices.Equal(segmentsOf(r), []string{".well-known", "core"})
}

// segmentsOf are the segments of a path.
func segmentsOf(r optionList) (segments []string) {
	for segment := range r.Option(message.URIPath) {
		segments = append(segments, string(segment))
	}
	return segments
}

func errPath() error { return outcome.New(outcome.Invalid, "the path is not /v1/{channel}") }

// rawQuery is the query of a request as HTTP would have it. A single Uri-Query option is taken as it is: a whole query,
// URL-encoded, as the wire contract has it. Of several ones each is a parameter, taken literally, as RFC 7252 section 6.4
// has it.
func rawQuery(r optionList) (string, error) {
	var parameters []string
	for parameter := range r.Option(message.URIQuery) {
		if !utf8.Valid(parameter) {
			return "", outcome.New(outcome.Invalid, "the query is not UTF-8")
		}
		parameters = append(parameters, string(parameter))
	}
	if len(parameters) < 2 {
		return strings.Join(parameters, ""), nil
	}
	for i, parameter := range parameters {
		name, value, _ := strings.Cut(parameter, "=")
		parameters[i] = url.QueryEscape(name) + "=" + url.QueryEscape(value)
	}
	return strings.Join(parameters, "&"), nil
}
