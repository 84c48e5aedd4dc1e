package endpoint

import (
	"net/url"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/outcome"
)

// A Query holds the parameters of a publish.
type Query struct {
	Application string // overrides the application of the log-in
	Device      string // overrides the device of the log-in
	As          string // device to act for
	DataSchema  string // absolute URI
	Correlation string // of the command that the message answers
	// Wait is how long to wait for a command after publishing: the parameter ct, or commandTimeout, in seconds.
	Wait time.Duration
}

// maxSeconds keeps seconds within what a Duration can hold; an endpoint's own limit is far below.
const maxSeconds = 1 << 30

// ParseQuery reads a raw query (application/x-www-form-urlencoded). Unknown parameters are ignored. A parameter that is
// given twice has no meaning and is refused, so that two readers of the same request cannot understand it differently.
// Errors are outcome.Invalid.
func ParseQuery(raw string) (q Query, err error) {
	if raw == "" {
		return q, nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, outcome.New(outcome.Invalid, "the query is not URL-encoded")
	}
	var seconds string
	parameters := []struct {
		field *string
		names []string
	}{
		{&q.Application, []string{"application"}},
		{&q.Device, []string{"device"}},
		{&q.As, []string{"as"}},
		{&q.DataSchema, []string{"data_schema"}},
		{&q.Correlation, []string{"correlation"}},
		{&seconds, []string{"ct", "commandTimeout"}},
	}
	for _, p := range parameters {
		if *p.field, err = single(values, p.names); err != nil {
			return q, err
		}
	}
	if err := event.ValidateDataSchema(q.DataSchema); err != nil {
		return q, outcome.New(outcome.Invalid, err.Error())
	}
	q.Wait, err = parseSeconds(seconds)
	return q, err
}

// single is the one value of a parameter that goes by several names, or "".
func single(values url.Values, names []string) (value string, err error) {
	var given []string
	for _, name := range names {
		given = append(given, values[name]...)
	}
	switch len(given) {
	case 0:
		return "", nil
	case 1:
		return given[0], nil
	default:
		return "", outcome.New(outcome.Invalid, "the query gives "+names[0]+" more than once")
	}
}

func parseSeconds(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	seconds, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, outcome.New(outcome.Invalid, "ct is not a number of seconds")
	}
	return time.Duration(min(seconds, maxSeconds)) * time.Second, nil
}
