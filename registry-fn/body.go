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

// decode reads a body of JSON whose members are all known, and stand once. Without a body it leaves the value as it is if
// that may be, and else it is an error.
func (c *call) decode(into any, optional bool) error {
	body, err := c.readJSON()
	if err != nil {
		return err
	}
	if optional && len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if twice := registry.Twice(body); len(twice) > 0 {
		return badRequest(twice[0].Path + ": is there twice")
	}
	return decodeBody(body, into)
}

// decodeDocument reads an application, a device or a patch of one. Of members that stand twice the last one counts, and nothing
// else of them is kept; the answer will say so.
func (c *call) decodeDocument(into any) error {
	body, err := c.readJSON()
	if err != nil {
		return err
	}
	return decodeBody(c.once(body), into)
}

func (c *call) once(body []byte) []byte {
	c.twice = registry.Twice(body)
	return registry.Once(body)
}

func (c *call) readJSON() ([]byte, error) {
	if !c.isJSON() {
		return nil, badRequest("Content-Type must be application/json")
	}
	return c.read()
}

func decodeBody(body []byte, into any) error {
	if err := registry.DecodeStrict(body, into); err != nil {
		return badRequest(jsonError(err).Error())
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
