package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

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
	strictness
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
	if err := c.judge(t, "application "+c.Name, document.problems(false)); err != nil {
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
	strictness
	Name string `arg:"" complete:"app" help:"Application."`
}

// Run edits an application.
func (c *appEdit) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	return about("application "+c.Name, edit(ctx, t, client, cloud.ApplicationPath(c.Name), func(r resource) error {
		return c.judge(t, "application "+c.Name, r.problems(false))
	}))
}

type appDelete struct {
	remote
	IgnoreMissing bool     `help:"Say nothing of those that are not there."`
	Yes           bool     `short:"y" help:"Do not ask."`
	Names         []string `arg:"" name:"name" complete:"app" help:"Applications."`
}

// maxCounted is how many devices are counted before somebody is asked.
const maxCounted = 10_000

// Run deletes applications, after it has said how many devices go with them.
func (c *appDelete) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	if !c.Yes {
		if err := c.confirm(ctx, t, client); err != nil {
			return err
		}
	}
	return deleteAll(t, "application", c.Names, c.IgnoreMissing, func(name string) error {
		return client.Delete(ctx, cloud.ApplicationPath(name))
	})
}

// confirm asks. What is not there is no question: deleting it tells that.
func (c *appDelete) confirm(ctx context.Context, t terminal, client *cloud.Client) error {
	var there []string
	for _, name := range c.Names {
		devices, err := countDevices(ctx, client, name)
		switch {
		case cloud.IsNotFound(err):
		case err != nil:
			return about("application "+name, err)
		case devices > maxCounted:
			there = append(there, fmt.Sprintf("application %s with more than %s devices", printable(name), grouped(maxCounted)))
		default:
			there = append(there, fmt.Sprintf("application %s with %s", printable(name), countOf(devices, "device")))
		}
	}
	if len(there) == 0 {
		return nil
	}
	what := strings.Join(there, " and ")
	if !canAsk(t) {
		return fmt.Errorf("this would delete %s, and there is no terminal to ask on; say --yes if that is meant", what)
	}
	if !ask(t, "Delete "+what+"?") {
		return errors.New("nothing was deleted")
	}
	return nil
}

// countDevices counts the devices of an application, up to one more than are counted.
func countDevices(ctx context.Context, client *cloud.Client, application string) (n int, err error) {
	err = client.Devices(ctx, application, cloud.Selection{Limit: maxCounted + 1}, func(json.RawMessage) error {
		n++
		return nil
	})
	return n, err
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
