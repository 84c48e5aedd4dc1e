package devcloud

import (
	"context"
	"fmt"

	"github.com/fairlead/fairlead/gateways/integration"
	"github.com/fairlead/fairlead/internal/assembly/gateways"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/store/accounts"
	"github.com/fairlead/fairlead/internal/user"
)

// serveConsumers runs the gateway for users who consume events.
func (d *Dev) serveConsumers(n *Neighbours, m *Management, l *listeners) error {
	if l.consumers == nil && l.consumerWeb == nil {
		return nil
	}
	c := gateways.DefaultConfig()
	c.Kafka, c.Integration.CommandURL = n.Kafka, d.commandURL
	if m != nil {
		c.User = m.Users
	}
	known := accounts.New(n.Store)
	users, err := user.New(c.User, known, known, d.functions.Log)
	if err != nil {
		return err
	}
	gateway, err := gateways.NewIntegration(&c, d.functions.Parts, users, known, nil)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := gateway.Serve(serving, integration.Listeners{MQTT: protocol.Listeners{TCP: l.consumers}, Web: l.consumerWeb})
		if err != nil {
			d.fail(fmt.Errorf("the gateway for consumers: %w", err))
		}
		ended <- err
	}()
	d.onClose(func(context.Context) error {
		stop()
		return <-ended
	})
	return nil
}
