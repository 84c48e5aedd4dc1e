package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/user"
)

const (
	commandConnections = 64
	maxCommandAnswer   = 4 << 10 // bytes
	// reachedHeader is how many listeners took a command, in the answer of the function that takes commands.
	reachedHeader = "Fairlead-Reached"
)

// A command is what a user wants to tell a device.
type command struct {
	id                        string // of the event; "" for one of ours
	application, device, name string
	contentType               string
	payload                   []byte
}

// commands hands commands to the function that takes them, as the events that Triggers hand to it.
type commands struct {
	url  string                    // "" where there is none
	sign func(*http.Request) error // may be nil
	http *http.Client
}

func newCommands(url string, sign func(*http.Request) error) *commands {
	transport := &http.Transport{MaxConnsPerHost: commandConnections, MaxIdleConnsPerHost: commandConnections, IdleConnTimeout: time.Minute}
	return &commands{url: strings.TrimSuffix(url, "/"), sign: sign, http: &http.Client{Transport: transport}}
}

// sendCommand sends a command for a user who may write to the application, and tells how many listeners took it.
func (g *Gateway) sendCommand(ctx context.Context, by interface {
	May(ctx context.Context, application string, p user.Permission) error
}, c command) (reached int, err error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.AuthTimeout)
	defer cancel()
	if c.application == "" || c.device == "" || c.name == "" {
		return 0, invalid("a command needs an application, a device and a name")
	}
	if err := by.May(ctx, c.application, user.Write); err != nil {
		return 0, err
	}
	return g.commands.send(ctx, c)
}

func (s *commands) send(ctx context.Context, c command) (reached int, err error) {
	if s.url == "" {
		return 0, outcome.New(outcome.Unavailable, "this server takes no commands")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/"+c.application, bytes.NewReader(c.payload))
	if err != nil {
		return 0, unreachable(err)
	}
	if c.id == "" {
		c.id = rand.Text()
	}
	for name, value := range map[string]string{
		"ce-specversion": "1.0", "ce-id": c.id, "ce-type": event.TypeCommand, "ce-source": "fairlead://integration",
		"ce-application": c.application, "ce-device": c.device, "ce-subject": c.name,
	} {
		request.Header.Set(name, event.HeaderValue(value))
	}
	if c.contentType != "" {
		request.Header.Set("Content-Type", c.contentType)
	}
	if s.sign != nil {
		if err := s.sign(request); err != nil {
			return 0, unreachable(err)
		}
	}
	response, err := s.http.Do(request)
	if err != nil {
		return 0, unreachable(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxCommandAnswer)) // so that the connection is used again
	return answered(response)
}

// answered reads the answer of the function.
func answered(r *http.Response) (reached int, err error) {
	switch {
	case r.StatusCode == http.StatusOK || r.StatusCode == http.StatusAccepted:
		reached, _ = strconv.Atoi(r.Header.Get(reachedHeader))
		return reached, nil
	case r.StatusCode == http.StatusNotAcceptable:
		return 0, outcome.New(outcome.Rejected, "there is no such device, or it is disabled")
	case r.StatusCode == http.StatusBadRequest:
		return 0, outcome.New(outcome.Invalid, "the command is not one")
	case r.StatusCode == http.StatusRequestEntityTooLarge:
		return 0, outcome.New(outcome.TooLarge, "the payload is too large")
	default:
		return 0, unreachable(fmt.Errorf("it answers %s", r.Status))
	}
}

func unreachable(err error) error {
	return outcome.Wrap(outcome.Unavailable, "commands cannot be sent now; try again later", errors.Join(err))
}
