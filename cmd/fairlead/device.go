package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fairlead/fairlead/internal/cloud"
)

type deviceCommand struct {
	Create deviceCreate `cmd:"" help:"Create a device."`
	Get    deviceGet    `cmd:"" help:"Show a device."`
	List   deviceList   `cmd:"" help:"List the devices of an application."`
	Edit   deviceEdit   `cmd:"" help:"Edit a device in your editor."`
	Delete deviceDelete `cmd:"" help:"Delete devices."`
}

type deviceCreate struct {
	inApplication
	content
	strictness
	Name string `arg:"" help:"Name: any text without control characters."`
}

// Run creates a device.
func (c *deviceCreate) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	document, err := c.build(t, c.Name, application)
	if err != nil {
		return err
	}
	if err := c.judge(t, "device "+c.Name, document.problems(true)); err != nil {
		return err
	}
	if err := client.CreateDevice(ctx, application, document); err != nil {
		return about("device "+c.Name, err)
	}
	fmt.Fprintf(t.err, "device %s created\n", printable(c.Name))
	return nil
}

type deviceGet struct {
	inApplication
	output
	Name string `arg:"" complete:"device" help:"Device."`
}

// Run shows a device.
func (c *deviceGet) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	var document json.RawMessage
	if err := client.Get(ctx, cloud.DevicePath(application, c.Name), &document); err != nil {
		return about("device "+c.Name, err)
	}
	return c.one(t, deviceColumns(), document)
}

type deviceList struct {
	inApplication
	output
	selection
}

// Run lists devices.
func (c *deviceList) Run(ctx context.Context, t terminal) error {
	if err := c.check(); err != nil {
		return err
	}
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	list := c.list(t, deviceColumns())
	err = client.Devices(ctx, application, cloud.Selection{Labels: c.Selector, Limit: c.Limit, Offset: c.Offset}, list.add)
	return list.end(about("application "+application, err))
}

type deviceEdit struct {
	inApplication
	strictness
	Name string `arg:"" complete:"device" help:"Device."`
}

// Run edits a device.
func (c *deviceEdit) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	return about("device "+c.Name, edit(ctx, t, client, cloud.DevicePath(application, c.Name), func(r resource) error {
		return c.judge(t, "device "+c.Name, r.problems(true))
	}))
}

type deviceDelete struct {
	inApplication
	IgnoreMissing bool     `help:"Say nothing of those that are not there."`
	Names         []string `arg:"" name:"name" complete:"device" help:"Devices."`
}

// Run deletes devices.
func (c *deviceDelete) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	return deleteAll(t, "device", c.Names, c.IgnoreMissing, func(name string) error {
		return client.Delete(ctx, cloud.DevicePath(application, name))
	})
}
