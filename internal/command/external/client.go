package external

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/downlink"
	"github.com/fairlead/fairlead/internal/outbound"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// Protocols by which a command goes out, as receipts name them.
const (
	protocolHTTP = "http-endpoint"
	protocolTTN  = "ttn"
)

// Downlinks know where The Things Stack takes downlinks for a device. *downlink.Store does.
type Downlinks interface {
	Find(ctx context.Context, of downlink.Device) (downlink.Address, error)
}

// A Client sends commands. It is safe for concurrent use.
type Client struct {
	outbound  *outbound.Client
	downlinks Downlinks
	metrics   *metrics
}

// New makes a client. downlinks may be nil: then gateways have to name their endpoints.
func New(o *outbound.Client, downlinks Downlinks) *Client {
	return &Client{outbound: o, downlinks: downlinks, metrics: newMetrics()}
}

// Send sends a command to the endpoint of a gateway of its device, or, where the gateway is the device itself, to its downlink address;
// its own endpoint counts then only if it is listed as its own gateway. It is not ok if there is neither. The error is outcome.Rejected if the endpoint did not take the command or cannot,
// and outcome.Overloaded or outcome.Unavailable if that may be otherwise soon. One call makes one request at most, of bounded time.
func (c *Client) Send(ctx context.Context, a *registry.Application, gateway *registry.Device, cmd command.Command) (protocol string, ok bool, err error) {
	itself := gateway.Metadata.Name == cmd.Device
	endpoint, err := gateway.CommandEndpoint()
	if itself && !gateway.AcceptsGateway(gateway.Metadata.Name) {
		err = registry.ErrNoCommandEndpoint // what it names is for other devices
	}
	switch {
	case err == nil:
		return c.toEndpoint(ctx, a, endpoint, &cmd)
	case !errors.Is(err, registry.ErrNoCommandEndpoint):
		return protocolHTTP, true, outcome.Wrap(outcome.Rejected, "the gateway's "+err.Error(), err)
	case itself && c.downlinks != nil:
		return c.toStack(ctx, a, gateway, &cmd)
	default:
		return "", false, nil
	}
}

func (c *Client) toEndpoint(ctx context.Context, a *registry.Application, e *registry.CommandEndpoint, cmd *command.Command) (string, bool, error) {
	protocol := protocolHTTP
	if e.Type != registry.PlainCommands {
		protocol = protocolTTN
	}
	body, err := bodyOf(e.Type, cmd)
	if err != nil {
		return protocol, true, outcome.Wrap(outcome.Rejected, err.Error(), err)
	}
	call := outbound.Call{Owner: owner(a), Endpoint: &e.ExternalEndpoint, Body: body}
	if e.Type == registry.TTNv3Commands {
		if call.URL, err = replaceURL(e.URL, cmd.Device); err != nil {
			return protocol, true, outcome.Wrap(outcome.Rejected, err.Error(), err)
		}
	}
	return protocol, true, c.send(ctx, protocol, call)
}

// toStack sends a downlink to where the device's last webhook said.
func (c *Client) toStack(ctx context.Context, a *registry.Application, device *registry.Device, cmd *command.Command) (string, bool, error) {
	address, err := c.downlinks.Find(ctx, downlink.Device{Application: a.Metadata.UID, UID: device.Metadata.UID})
	switch {
	case errors.Is(err, downlink.ErrNotFound):
		return "", false, nil
	case err != nil:
		return protocolTTN, true, outcome.Wrap(outcome.Unavailable, "the device's downlink address cannot be found out now", err)
	}
	body, err := bodyOf(registry.TTNv3Commands, cmd)
	if err != nil {
		return protocolTTN, true, outcome.Wrap(outcome.Rejected, err.Error(), err)
	}
	host, err := url.Parse(address.URL)
	if err != nil {
		return protocolTTN, true, outcome.Wrap(outcome.Rejected, "the device's downlink address cannot be used", nil)
	}
	// What is remembered of the stack holds for all devices with that key.
	stack := &registry.ExternalEndpoint{URL: host.Scheme + "://" + host.Host, Auth: registry.EndpointAuth{Bearer: &registry.BearerAuth{Token: address.Key}}}
	return protocolTTN, true, c.send(ctx, protocolTTN, outbound.Call{Owner: owner(a), Endpoint: stack, URL: address.URL, Body: body})
}

func (c *Client) send(ctx context.Context, protocol string, call outbound.Call) error {
	call.Header = http.Header{"Content-Type": {"application/json"}}
	response, err := c.outbound.Send(ctx, call)
	c.metrics.sent(protocol, response, err)
	failed, _ := errors.AsType[*outbound.Error](err)
	switch {
	case err == nil && response.OK():
		return nil
	case err == nil:
		return outcome.New(outcome.Rejected, fmt.Sprintf("the endpoint answered %d %s", response.Status, http.StatusText(response.Status)))
	case failed != nil && failed.Kind == outbound.Busy:
		return outcome.Wrap(outcome.Overloaded, failed.Error(), err)
	default:
		return outcome.Wrap(outcome.Rejected, err.Error(), err)
	}
}

// owner is who an endpoint belongs to: an application that is made anew is another one.
func owner(a *registry.Application) string { return a.Metadata.UID + "/" + a.Metadata.Name }
