package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// SectionKnative is the section of an application that says where its events are pushed to.
const SectionKnative = "knative"

// Knative is the section "knative" of an application.
type Knative struct {
	Disabled bool              `json:"disabled"`
	Disable  bool              `json:"disable"`  // as it is documented in Drogue Cloud; means the same
	GroupID  string            `json:"group_id"` // has no effect: each Trigger has a consumer group of its own
	Endpoint *ExternalEndpoint `json:"endpoint"`
}

// ErrNoPush says that an application's events are not pushed anywhere.
var ErrNoPush = errors.New("the application has no endpoint in spec.knative, or disables it")

// PushEndpoint is where the events of an application are pushed to. The error is ErrNoPush, or names the path of what makes the
// section unusable and none of its content.
func (a *Application) PushEndpoint() (*ExternalEndpoint, error) {
	section, _, err := Decode[Knative](a.Spec, SectionKnative)
	if err != nil {
		return nil, a.knativeError(err)
	}
	if section.Endpoint == nil || section.Disabled || section.Disable {
		return nil, ErrNoPush
	}
	if err := section.Endpoint.Validate(); err != nil {
		return nil, fmt.Errorf("spec.%s.endpoint.%w", SectionKnative, err)
	}
	return section.Endpoint, nil
}

// knativeError is the first problem of a section that does not parse.
func (a *Application) knativeError(otherwise error) error {
	c := &checker{}
	c.value("spec."+SectionKnative, a.Spec[SectionKnative], knativeShape)
	if len(c.found) == 0 {
		return fmt.Errorf("spec: %w", otherwise)
	}
	return errors.New(c.found[0].String())
}

var (
	knativeShape = &shape{kind: isObject, members: map[string]*shape{
		"disabled": flag, "disable": flag, "group_id": text, "endpoint": endpointShape,
	}}
	endpointShape = &shape{kind: isObject, needs: []string{"url"}, members: map[string]*shape{
		"url":     {kind: isText, check: func(raw json.RawMessage) string { return endpointURLProblem(read(raw)) }},
		"method":  {kind: isText, check: checkMethod},
		"tls":     {kind: isObject, members: map[string]*shape{"insecure": flag, "certificate": {kind: isText, check: checkAuthorities}}},
		"auth":    endpointAuthShape,
		"headers": {each: &shape{check: checkEndpointHeader}, check: checkEndpointHeaders},
		"timeout": {kind: isText, check: checkSpan},
	}, check: checkCredentialsOnce}
	endpointAuthShape = &shape{oneOf: true, members: map[string]*shape{
		"basic":  {kind: isObject, needs: []string{"username"}, members: map[string]*shape{"username": text, "password": text}},
		"bearer": {kind: isObject, needs: []string{"token"}, members: map[string]*shape{"token": nonempty}},
	}, check: checkEndpointAuth}
)

func checkMethod(raw json.RawMessage) string {
	if read(raw) == "" {
		return "is empty; leave it out for POST"
	}
	return methodProblem(read(raw))
}

func checkAuthorities(raw json.RawMessage) string {
	if read(raw) == "" {
		return "must hold a certificate in PEM"
	}
	return authoritiesProblem(read(raw))
}

func checkSpan(raw json.RawMessage) string {
	switch span, err := ParseSpan(read(raw)); {
	case err != nil:
		return err.Error()
	case span == 0:
		return "must be longer than 0"
	}
	return ""
}

// checkEndpointHeader is for an element of a list, or for the value of a member.
func checkEndpointHeader(raw json.RawMessage) string {
	if kindOf(raw) == isText {
		return ""
	}
	var h EndpointHeader
	if err := json.Unmarshal(raw, &h); err != nil {
		return err.Error()
	}
	return h.Problem()
}

// checkEndpointHeaders says what the shapes of the elements do not.
func checkEndpointHeaders(raw json.RawMessage) string {
	kind := kindOf(raw)
	if kind != isList && kind != isObject {
		return "must be a list of headers, or an object"
	}
	var all EndpointHeaders
	if json.Unmarshal(raw, &all) != nil {
		return "" // the elements tell
	}
	if len(all) > MaxEndpointHeaders {
		return fmt.Sprintf("has more than %d headers", MaxEndpointHeaders)
	}
	for _, h := range all {
		if problem := h.Problem(); problem != "" && kind == isObject {
			return plain(h.Name) + " " + problem
		}
	}
	return ""
}

// checkEndpointAuth says what the shapes of the members do not.
func checkEndpointAuth(raw json.RawMessage) string {
	var a EndpointAuth
	switch err := json.Unmarshal(raw, &a); {
	case kindOf(raw) == isObject && err != nil:
		return "" // the members tell
	case err != nil:
		return `must be "none" or an object with one of basic, bearer`
	}
	return a.problem()
}

// checkCredentialsOnce finds credentials that auth takes the place of.
func checkCredentialsOnce(raw json.RawMessage) string {
	var e ExternalEndpoint
	if unmarshal(raw, &e) != nil || (e.Auth.Basic == nil && e.Auth.Bearer == nil) {
		return ""
	}
	for _, h := range e.Headers {
		if strings.EqualFold(h.Name, "Authorization") {
			return "has a header Authorization, which auth takes the place of"
		}
	}
	return ""
}
