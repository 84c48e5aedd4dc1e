package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	commanding "github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/user"
)

const (
	commandConnections = 64
	maxCommandAnswer   = 4 << 10 // bytes
)

// A command is what a user wants to tell a device.
type command struct {
	id                        string // of the event; "" for one of ours
	application, device, name string
	contentType               string
	payload                   []byte
	correlation               string // with which this process waits for the device's answer; "" if it does not
}

// A receipt tells what became of a command.
type receipt struct {
	reached int    // listeners that took it
	device  string // that may answer, if the command had a correlation; "" if none does
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

// sendCommand sends a command for a user who may write to the application.
func (g *Gateway) sendCommand(ctx context.Context, by interface {
	May(ctx context.Context, application string, p user.Permission) error
}, c command) (receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.AuthTimeout)
	defer cancel()
	if c.application == "" || c.device == "" || c.name == "" {
		return receipt{}, invalid("a command needs an application, a device and a name")
	}
	if err := by.May(ctx, c.application, user.Write); err != nil {
		return receipt{}, err
	}
	return g.commands.send(ctx, c)
}

func (s *commands) send(ctx context.Context, c command) (receipt, error) {
	if s.url == "" {
		return receipt{}, outcome.New(outcome.Unavailable, "this server takes no commands")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/"+c.application, bytes.NewReader(c.payload))
	if err != nil {
		return receipt{}, unreachable(err)
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
	if c.correlation != "" {
		request.Header.Set(commanding.HeaderCorrelation, c.correlation)
	}
	if s.sign != nil {
		if err := s.sign(request); err != nil {
			return receipt{}, unreachable(err)
		}
	}
	response, err := s.http.Do(request)
	if err != nil {
		return receipt{}, unreachable(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxCommandAnswer)) // so that the connection is used again
	return answered(response)
}

// answered reads the answer of the function.
func answered(r *http.Response) (receipt, error) {
	switch {
	case r.StatusCode == http.StatusOK || r.StatusCode == http.StatusAccepted:
		reached, _ := strconv.Atoi(r.Header.Get(commanding.HeaderReached))
		device, err := url.PathUnescape(r.Header.Get(commanding.HeaderAwaited))
		if err != nil {
			return receipt{}, unreachable(fmt.Errorf("reading its header %s: %w", commanding.HeaderAwaited, err))
		}
		return receipt{reached, device}, nil
	case r.StatusCode == http.StatusNotAcceptable:
		return receipt{}, outcome.New(outcome.Rejected, "there is no such device, or it is disabled")
	case r.StatusCode == http.StatusBadRequest:
		return receipt{}, outcome.New(outcome.Invalid, "the command is not one")
	case r.StatusCode == http.StatusRequestEntityTooLarge:
		return receipt{}, outcome.New(outcome.TooLarge, "the payload is too large")
	default:
		return receipt{}, unreachable(fmt.Errorf("it answers %s", r.Status))
	}
}

func unreachable(err error) error {
	return outcome.Wrap(outcome.Unavailable, "commands cannot be sent now; try again later", errors.Join(err))
}
