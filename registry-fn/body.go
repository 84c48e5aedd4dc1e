package registryfn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/coding"
	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// read reads the body, of at most 64 KiB.
func (c *call) read() ([]byte, error) {
	body, err := endpoint.ReadBody(c.w, c.r, registry.MaxDocument)
	switch outcome.Of(err) {
	case outcome.Accepted:
		return body, nil
	case outcome.TooLarge:
		return nil, tooLarge(fmt.Sprintf("The body is larger than %d bytes", registry.MaxDocument))
	case outcome.Unsupported:
		return nil, wrongType("The Content-Encoding of the body must be one of " + coding.Known)
	default:
		return nil, badRequest("the body did not arrive whole")
	}
}

// isJSON tells whether the body's media type, if the request names one, is JSON or one of some others.
func (c *call) isJSON(others ...string) bool {
	header := c.r.Header.Get("Content-Type")
	if header == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(header)
	return err == nil && (kind == "application/json" || slices.Contains(others, kind))
}

// decode reads a body of JSON whose members are all known. Without a body it leaves the value as it is if that may be,
// and else it is an error.
func (c *call) decode(into any, optional bool) error {
	if !c.isJSON() {
		return badRequest("Content-Type must be application/json")
	}
	body, err := c.read()
	if err != nil {
		return err
	}
	if optional && len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := decodeStrict(body, into); err != nil {
		return badRequest(err.Error())
	}
	return nil
}

// decodeStrict reads one JSON value whose members are all known. Its errors name the bad field, and none of its content.
func decodeStrict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return jsonError(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON document")
	}
	return nil
}

func jsonError(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s: must not be a %s", kind.Field, kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("the document must not be a %s", kind.Value)
	case errors.As(err, &syntax), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the body is not JSON")
	default:
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
}
