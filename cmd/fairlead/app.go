package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/internal/cloud"
)

type appCommand struct {
	Create   appCreate   `cmd:"" help:"Create an application."`
	Get      appGet      `cmd:"" help:"Show an application."`
	List     appList     `cmd:"" help:"List the applications that you may see."`
	Edit     appEdit     `cmd:"" help:"Edit an application in your editor."`
	Delete   appDelete   `cmd:"" help:"Delete applications with all their devices."`
	Transfer appTransfer `cmd:"" help:"Offer an application to another user, who then accepts it."`
	Accept   appAccept   `cmd:"" help:"Take an application over that is offered to you."`
}

type appCreate struct {
	remote
	content
	Name string `arg:"" help:"Name: a lower-case host name."`
}

// Run creates an application.
func (c *appCreate) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	document, err := c.build(t, c.Name, "")
	if err != nil {
		return err
	}
	if err := client.CreateApplication(ctx, document); err != nil {
		return about("application "+c.Name, err)
	}
	fmt.Fprintf(t.err, "application %s created\n", c.Name)
	return nil
}

type appGet struct {
	remote
	output
	Name string `arg:"" complete:"app" help:"Application."`
}

// Run shows an application.
func (c *appGet) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	var document json.RawMessage
	if err := client.Get(ctx, cloud.ApplicationPath(c.Name), &document); err != nil {
		return about("application "+c.Name, err)
	}
	return c.one(t, resourceColumns(), document)
}

type appList struct {
	remote
	output
	selection
}

// Run lists applications.
func (c *appList) Run(ctx context.Context, t terminal) error {
	if err := c.check(); err != nil {
		return err
	}
	client, err := c.connect()
	if err != nil {
		return err
	}
	list := c.list(t, resourceColumns())
	return list.end(client.Applications(ctx, cloud.Selection{Labels: c.Selector, Limit: c.Limit, Offset: c.Offset}, list.add))
}

type appEdit struct {
	remote
	Name string `arg:"" complete:"app" help:"Application."`
}

// Run edits an application.
func (c *appEdit) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	return about("application "+c.Name, edit(ctx, t, client, cloud.ApplicationPath(c.Name)))
}

type appDelete struct {
	remote
	IgnoreMissing bool     `help:"Say nothing of those that are not there."`
	Names         []string `arg:"" name:"name" complete:"app" help:"Applications."`
}

// Run deletes applications.
func (c *appDelete) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	return deleteAll(t, "application", c.Names, c.IgnoreMissing, func(name string) error {
		return client.Delete(ctx, cloud.ApplicationPath(name))
	})
}

// deleteAll goes on where something fails.
func deleteAll(t terminal, noun string, names []string, ignoreMissing bool, remove func(string) error) error {
	var problems []error
	for _, name := range names {
		err := remove(name)
		switch {
		case err == nil:
			fmt.Fprintf(t.err, "%s %s deleted\n", noun, printable(name))
		case ignoreMissing && cloud.IsNotFound(err):
		default:
			problems = append(problems, about(noun+" "+name, err))
		}
	}
	return errors.Join(problems...)
}

type appTransfer struct {
	remote
	Name   string `arg:"" complete:"app" help:"Application."`
	To     string `xor:"what" placeholder:"USER" help:"User to offer it to."`
	Cancel bool   `xor:"what" help:"Take the offer back, or turn it down."`
}

// Run offers an application, or tells to whom it is offered.
func (c *appTransfer) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	what := "application " + c.Name
	switch {
	case c.Cancel:
		return about(what, client.CancelTransfer(ctx, c.Name))
	case c.To != "":
		return about(what, client.Transfer(ctx, c.Name, c.To))
	}
	to, err := client.TransferredTo(ctx, c.Name)
	if err != nil {
		return about(what, err)
	}
	if to == "" {
		fmt.Fprintf(t.err, "application %s is offered to nobody\n", c.Name)
		return nil
	}
	_, err = fmt.Fprintln(t.out, oneLine(to))
	return err
}

type appAccept struct {
	remote
	Name string `arg:"" complete:"app" help:"Application."`
}

// Run takes an application over.
func (c *appAccept) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	if err := client.AcceptTransfer(ctx, c.Name); err != nil {
		return about("application "+c.Name, err)
	}
	fmt.Fprintf(t.err, "application %s is yours\n", c.Name)
	return nil
}
