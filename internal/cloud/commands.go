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
	Wait                      time.Duration // how long to wait for its answer, in whole seconds
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

// Send sends a command that does not wait for an answer.
func (c *Client) Send(ctx context.Context, command *Command) (result Commanded, err error) {
	text, err := c.command(ctx, command)
	if err == nil && json.Unmarshal(text, &result) != nil {
		err = fmt.Errorf("the answer of %s %w; is it the API of Fairlead?", c.base, errNoJSON)
	}
	return result, err
}

// Ask sends a command, and gives what the device has answered.
func (c *Client) Ask(ctx context.Context, command *Command) (payload []byte, err error) {
	return c.command(ctx, command)
}

// command sends a command, and gives the body of the response.
func (c *Client) command(ctx context.Context, command *Command) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+command.path(), bytes.NewReader(command.Payload))
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	if command.ContentType != "" {
		request.Header.Set("Content-Type", command.ContentType)
	}
	response, err := c.do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, &connectionError{fmt.Errorf("reading the answer of %s: %w", c.base, err)}
	}
	return text, nil
}

func (c *Command) path() string {
	query := url.Values{"command": {c.Name}}
	for name, d := range map[string]time.Duration{"timeout": c.Timeout, "wait": c.Wait} {
		if d > 0 {
			query.Set(name, strconv.Itoa(int((d+time.Second-1)/time.Second)))
		}
	}
	return "/api/command/v1alpha1/apps/" + url.PathEscape(c.Application) + "/devices/" + url.PathEscape(c.Device) + "?" + query.Encode()
}
