package command

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
	commands "github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

const (
	// maxGateways bounds to how many gateways one command goes.
	maxGateways = 32
	// Pauses between two attempts to find a listener.
	firstPause   = 50 * time.Millisecond
	longestPause = 500 * time.Millisecond
)

// Documents are those of the registry, with their secrets. *cache.Cache has them.
type Documents interface {
	Application(ctx context.Context, alias string) (*registry.Application, error)
	Device(ctx context.Context, application, alias string) (*registry.Device, error)
}

// An External hands commands to endpoints outside. ok is false where a connected device has none, and the command goes to listeners.
// Errors carry an outcome: outcome.Rejected where the endpoint, or what is written of it, does not take the command.
type External interface {
	Send(ctx context.Context, a *registry.Application, gateway *registry.Device, c commands.Command) (protocol string, ok bool, err error)
}

// A sender takes commands to devices.
type sender struct {
	documents Documents
	router    *commands.Router
	external  External // nil: there are no endpoints outside
}

// A request is a command as somebody asked for it.
type request struct {
	application, device string // as in the request
	name, contentType   string
	payload             []byte
	timeout             time.Duration // how long to wait for a listener
	wait                time.Duration // how long to wait for the device's answer; 0 for none
	correlation         string        // with which another process waits for the device's answer; "" if none does
}

// unknown is for what is not there, and for what is disabled.
func unknown(reason string) error { return outcome.New(outcome.Rejected, reason) }

// send hands a command over, and tells to whom. The error is outcome.Rejected for a device that is unknown or disabled, and
// outcome.Unavailable when nobody could be told.
func (s *sender) send(ctx context.Context, w *request) (Result, error) {
	application, device, err := s.find(ctx, w)
	if err != nil {
		return Result{}, err
	}
	gateways, err := s.gateways(ctx, application, device)
	if err != nil {
		return Result{}, err
	}
	// The rules of the application for commands go here: they judge and change w before it is sent.
	c := commands.Command{
		Application: application.Metadata.Name, Device: device.Metadata.Name, Name: w.name, ContentType: w.contentType, Payload: w.payload,
		Respond: w.correlation != "", Correlation: w.correlation,
	}
	connected := append(gateways, device)
	if result, ok, err := s.sendOut(ctx, application, connected, c); ok {
		result.Asked = w.wait > 0 // in vain: endpoints outside do not answer
		return result, err
	}
	if w.wait > 0 {
		return s.ask(ctx, connected, c, w)
	}
	result, err := s.sendWithin(ctx, connected, c, w.timeout)
	if w.correlation != "" && result.handed() {
		result.Awaited = c.Device
	}
	return result, err
}

// ask hands the command to who listens, and waits for the device's answer if somebody does.
func (s *sender) ask(ctx context.Context, connected []*registry.Device, c commands.Command, w *request) (Result, error) {
	expected, err := s.router.Expect(ctx, &c)
	if err != nil {
		return Result{}, err
	}
	defer expected.Close()
	result, err := s.sendWithin(ctx, connected, c, w.timeout)
	result.Asked = true
	if err != nil || !result.handed() {
		return result, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.wait)
	defer cancel()
	if answer, ok := expected.Wait(ctx, c.Device); ok {
		result.Answer = &answer
	}
	return result, nil
}

// find finds application and device. Both must be there and enabled.
func (s *sender) find(ctx context.Context, w *request) (*registry.Application, *registry.Device, error) {
	application, err := s.documents.Application(ctx, w.application)
	switch {
	case errors.Is(err, registry.ErrNotFound), err == nil && application.Metadata.Name != w.application:
		return nil, nil, unknown("there is no such application")
	case err != nil:
		return nil, nil, unreachable(err)
	case !application.Spec.Enabled() || application.Metadata.Deleting():
		return nil, nil, unknown("the application is disabled")
	}
	device, err := s.documents.Device(ctx, w.application, w.device)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil, nil, unknown("there is no such device")
	case err != nil:
		return nil, nil, unreachable(err)
	case !device.Spec.Enabled() || device.Metadata.Deleting():
		return nil, nil, unknown("the device is disabled")
	}
	return application, device, nil
}

func unreachable(err error) error {
	return outcome.Wrap(outcome.Unavailable, "the registry cannot be reached", err)
}

// gateways finds the gateways that may act for a device, in its order. Those that are missing or disabled are left out.
func (s *sender) gateways(ctx context.Context, a *registry.Application, d *registry.Device) (found []*registry.Device, err error) {
	selector, _, err := registry.Decode[registry.GatewaySelector](d.Spec, registry.SectionGatewaySelector)
	if err != nil {
		return nil, unknown("the device's gatewaySelector cannot be read")
	}
	seen := map[string]bool{d.Metadata.Name: true}
	for _, name := range selector.MatchNames {
		if len(found) == maxGateways {
			break
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		gateway, err := s.documents.Device(ctx, a.Metadata.Name, name)
		switch {
		case errors.Is(err, registry.ErrNotFound), err == nil && gateway.Metadata.Name != name: // an alias names no gateway
		case err != nil:
			return nil, unreachable(err)
		case gateway.Spec.Enabled() && !gateway.Metadata.Deleting():
			found = append(found, gateway)
		}
	}
	return found, nil
}

// sendOut hands the command to the first endpoint outside that there is, if there is one.
func (s *sender) sendOut(ctx context.Context, a *registry.Application, connected []*registry.Device, c commands.Command) (Result, bool, error) {
	if s.external == nil {
		return Result{}, false, nil
	}
	for _, gateway := range connected {
		c.Gateway = gateway.Metadata.Name
		protocol, ok, err := s.external.Send(ctx, a, gateway, c)
		if err != nil {
			return Result{}, true, err
		}
		if ok {
			return Result{External: true, Reached: 1, Targets: []Target{{Device: c.Gateway, Protocol: protocol, Outcome: Reached}}}, true, nil
		}
	}
	return Result{}, false, nil
}

// sendWithin hands the command to who listens, once somebody does, or tells after that time that nobody did.
func (s *sender) sendWithin(ctx context.Context, connected []*registry.Device, c commands.Command, timeout time.Duration) (Result, error) {
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	pauses := backoff.New(firstPause, longestPause)
	for {
		result, err := s.sendTo(ctx, connected, c)
		if err != nil || result.handed() || !pauses.Wait(waiting) {
			return result, err
		}
	}
}

// sendTo hands the command to who listens now, for all connected devices at once.
func (s *sender) sendTo(ctx context.Context, connected []*registry.Device, c commands.Command) (result Result, err error) {
	receipts, errs := make([]commands.Receipt, len(connected)), make([]error, len(connected))
	var sending sync.WaitGroup
	for i, device := range connected {
		to := c
		to.Gateway = device.Metadata.Name
		sending.Go(func() { receipts[i], errs[i] = s.router.Send(ctx, to) })
	}
	sending.Wait()
	for i, device := range connected {
		if errs[i] != nil {
			err = errs[i]
			continue
		}
		result.add(device.Metadata.Name, &receipts[i])
	}
	if result.handed() {
		return result, nil // somebody has it, so that nobody should send it again
	}
	return result, err
}
