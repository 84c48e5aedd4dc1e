package opcua

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/internal/opcua/mapping"
	"github.com/fairlead/fairlead/internal/refusal"
)

// listen takes the commands of the gateway's devices until ctx ends.
func (g *Gateway) listen(ctx context.Context) {
	for pauses := backoff.New(firstPause, g.config.RetryDelay); ctx.Err() == nil; {
		l, err := g.subscribe(ctx)
		if err == nil {
			<-ctx.Done()
			l.Close()
			return
		}
		if ctx.Err() == nil {
			g.log.Warn("no commands are taken yet", zap.Error(err))
		}
		pauses.Wait(ctx)
	}
}

func (g *Gateway) subscribe(ctx context.Context) (*command.Listener, error) {
	s, err := g.forwarder.As(ctx, "")
	if err != nil {
		return nil, err
	}
	return g.hub.Listen(ctx, command.Filter{
		Application: s.Application.Metadata.Name, Gateway: s.Device.Metadata.Name, Scope: command.All, Protocol: refusal.OPCUA,
	}, g.deliver)
}

// deliver puts a command in line, if it is for a device of a server that is connected.
func (g *Gateway) deliver(c command.Command) (taken bool) {
	for _, u := range g.upstreams {
		if device, ok := u.claims.named(c.Device); ok {
			return u.commands.add(device, c)
		}
	}
	return false
}

// do does one command, and publishes the result as the device's response.
func (u *upstream) do(ctx context.Context, device string, c command.Command) {
	ctx, cancel := context.WithTimeout(ctx, u.gateway.config.CommandTimeout)
	defer cancel()
	r := u.execute(ctx, device, &c)
	r.Command = c.Name
	u.gateway.metrics.commanded(r.Code == 0)
	m := u.message(device, command.ResponseChannel, r.body(u.gateway.maxBody))
	m.ContentType, m.Correlation = event.JSON, c.Correlation
	u.send(m)
}

// execute asks the server for what a command says.
func (u *upstream) execute(ctx context.Context, device string, c *command.Command) response {
	plan := u.device(device)
	if plan == nil {
		return refused(badNodeIDUnknown, "the server has no such device any more")
	}
	connection, err := u.server.Connection()
	if err != nil {
		return refused(badNotConnected, "the server is not connected")
	}
	if name, ok := strings.CutPrefix(c.Name, mapping.CommandWrite); ok {
		if node, allowed := plan.Writes[name]; allowed {
			return write(ctx, connection, node, c.Payload)
		}
	}
	if name, ok := strings.CutPrefix(c.Name, mapping.CommandCall); ok {
		if method, allowed := plan.Calls[name]; allowed {
			return call(ctx, connection, method, c.Payload)
		}
	}
	return refused(badNotSupported, "the mapping does not allow it")
}

// Status codes of what is not asked of the server, or not answered by it (OPC 10000-6, annex A).
const (
	badUnexpectedError opcua.Status = 0x80010000
	badTimeout         opcua.Status = 0x800A0000
	badNodeIDUnknown   opcua.Status = 0x80340000
	badNotSupported    opcua.Status = 0x803D0000
	badTypeMismatch    opcua.Status = 0x80740000
	badNotConnected    opcua.Status = 0x808A0000
)

func refused(s opcua.Status, reason string) response {
	return response{Status: s.String(), Code: uint32(s), Reason: reason}
}

// write writes the payload, which is JSON.
func write(ctx context.Context, c *opcua.Connection, node opcua.NodeRef, payload []byte) response {
	if !json.Valid(payload) {
		return refused(badTypeMismatch, "the payload is no JSON")
	}
	status, err := c.Write(ctx, node, payload)
	if err != nil {
		return failed(ctx, err)
	}
	return response{Status: status.String(), Code: uint32(status)}
}

// call calls a method. The payload is the list of arguments in JSON; without one there are none.
func call(ctx context.Context, c *opcua.Connection, m mapping.Method, payload []byte) response {
	var arguments []json.RawMessage
	if payload = bytes.TrimSpace(payload); len(payload) > 0 {
		if err := json.Unmarshal(payload, &arguments); err != nil {
			return refused(badTypeMismatch, "the payload is no list of arguments in JSON")
		}
	}
	result, err := c.Call(ctx, m.Object, m.Method, arguments)
	if err != nil {
		return failed(ctx, err)
	}
	r := response{Status: result.Status.String(), Code: uint32(result.Status)}
	if slices.ContainsFunc(result.Arguments, opcua.Status.Bad) {
		for _, s := range result.Arguments[:min(len(result.Arguments), len(arguments))] { // a server may tell more
			r.Inputs = append(r.Inputs, s.String())
		}
	}
	for _, v := range result.Outputs {
		r.Outputs = append(r.Outputs, v.AppendJSON(nil, opcua.Plain))
	}
	return r
}

// failed is the response to what the server did not do.
func failed(ctx context.Context, err error) response {
	var value *opcua.ValueError
	var status opcua.Status
	switch {
	case errors.As(err, &value):
		return refused(badTypeMismatch, value.Error())
	case errors.As(err, &status):
		return refused(status, "")
	case ctx.Err() != nil:
		return refused(badTimeout, "the server did not answer in time; it may have done it")
	default:
		return refused(badUnexpectedError, "the server could not be asked; it may have done it")
	}
}
