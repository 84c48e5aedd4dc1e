package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A Command is a message to a device.
type Command struct {
	Application, Device, Name string
	ContentType               string // "" is none
	Payload                   []byte
	Timeout                   time.Duration // how long to wait for the device to listen, in whole seconds
}

// Commanded is what became of a command. Targets are the documents of the API.
type Commanded struct {
	Reached int               `json:"reached"`
	Targets []json.RawMessage `json:"targets"`
}

// Commands calls the API for commands as the user, where the installation says that it is.
func (s *Session) Commands(ctx context.Context) (*Client, error) {
	base := s.Context().URL
	endpoints, err := Discover(ctx, base)
	if err != nil {
		return nil, err
	}
	if endpoints.Command != "" {
		base = endpoints.Command
	}
	client, err := NewClient(base, s.sign)
	if err == nil {
		client.advise = s.advise
	}
	return client, err
}

// Send sends a command.
func (c *Client) Send(ctx context.Context, command *Command) (result Commanded, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+command.path(), bytes.NewReader(command.Payload))
	if err != nil {
		return result, fmt.Errorf("making a request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	if command.ContentType != "" {
		request.Header.Set("Content-Type", command.ContentType)
	}
	response, err := c.do(request)
	if err != nil {
		return result, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return result, &connectionError{fmt.Errorf("reading the answer of %s: %w", c.base, err)}
	}
	if json.Unmarshal(text, &result) != nil {
		return result, fmt.Errorf("the answer of %s %w; is it the API of Fairlead?", c.base, errNoJSON)
	}
	return result, nil
}

func (c *Command) path() string {
	query := url.Values{"command": {c.Name}}
	if c.Timeout > 0 {
		query.Set("timeout", strconv.Itoa(int((c.Timeout+time.Second-1)/time.Second)))
	}
	return "/api/command/v1alpha1/apps/" + url.PathEscape(c.Application) + "/devices/" + url.PathEscape(c.Device) + "?" + query.Encode()
}
