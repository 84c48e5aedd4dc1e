package forward

import (
	"errors"

	"github.com/fairlead/fairlead/internal/registry"
)

// A GatewayConfig names the device that a forwarder is in the registry.
type GatewayConfig struct {
	Application string `doc:"application that everything is published in"`
	Device      string `doc:"gateway device that the forwarder logs in as"`
	Password    string `doc:"password of the gateway device" secret:"true"`
}

// Validate names the first bad field.
func (c *GatewayConfig) Validate() error {
	if registry.ValidateApplicationName(c.Application) != nil {
		return errors.New("application: must be the name of an application")
	}
	if registry.ValidateDeviceName(c.Device) != nil {
		return errors.New("device: must be the name of a device")
	}
	return nil
}

// String keeps the password out of logs.
func (GatewayConfig) String() string { return "gateway device of a forwarder" }

// GoString keeps the password out of logs.
func (c GatewayConfig) GoString() string { return c.String() }
