package devcloud

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/gateways/opcua"
	"github.com/fairlead/fairlead/internal/devcloud/registryfile"
	"github.com/fairlead/fairlead/internal/presence"
	"github.com/fairlead/fairlead/internal/registry"
)

// An OPCUA says which OPC UA servers are forwarded from, and in whose name.
type OPCUA struct {
	Mapping     string // file; "" forwards from none
	Application string // "" is the only one of the registry files
	Device      string // gateway device, which has a plain password in the registry files
}

// serveOPCUA runs the gateway for OPC UA servers.
func (d *Dev) serveOPCUA(tracker *presence.Tracker, contents registryfile.Contents) error {
	if d.config.OPCUA.Mapping == "" {
		return nil
	}
	config := opcua.DefaultConfig()
	config.Mapping, config.Folder = d.config.OPCUA.Mapping, d.folder.File("opcua")
	var err error
	if config.Gateway.Application, config.Gateway.Password, err = d.config.OPCUA.credential(contents); err != nil {
		return err
	}
	config.Gateway.Device = d.config.OPCUA.Device
	f := d.functions
	gateway, err := opcua.New(config, f.Authenticator, f.Pipeline, f.Commands, tracker, f.Log)
	if err != nil {
		return fmt.Errorf("starting the gateway for OPC UA: %w", err)
	}
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := gateway.Run(serving)
		if err != nil {
			d.fail(fmt.Errorf("the gateway for OPC UA: %w", err))
		}
		ended <- err
	}()
	d.onClose(func(context.Context) error {
		stop()
		return <-ended
	})
	return nil
}

// credential finds the application and the password of the gateway device in the registry files.
func (o *OPCUA) credential(contents registryfile.Contents) (application, password string, err error) {
	application = o.Application
	if application == "" {
		if len(contents.Applications) != 1 {
			return "", "", errors.New("say with --opcua-gateway-application which application the OPC UA servers are for")
		}
		application = contents.Applications[0].Metadata.Name
	}
	for _, device := range contents.Devices {
		if device.Metadata.Application != application || device.Metadata.Name != o.Device {
			continue
		}
		credentials, err := device.Credentials()
		if err != nil {
			return "", "", fmt.Errorf("device %s: %w", o.Device, err)
		}
		for _, c := range credentials {
			if c.Password != nil && c.Password.Kind == registry.PlainPassword {
				return application, c.Password.Value, nil
			}
		}
	}
	return "", "", fmt.Errorf("the gateway for OPC UA logs in as a device, but application %s has no device %s with a plain password in the registry files; another one is named with --opcua-gateway-device",
		application, o.Device)
}
