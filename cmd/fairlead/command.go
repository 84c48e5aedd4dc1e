package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/cloud"
)

// maxPayload is the largest payload that any installation takes, in bytes.
const maxPayload = 900 << 10

type commandCommand struct {
	inApplication
	output
	Device      string        `arg:"" complete:"device" help:"Device."`
	Name        string        `arg:"" help:"Name of the command."`
	Data        string        `short:"d" placeholder:"TEXT" help:"Payload; - reads it from standard input."`
	ContentType string        `short:"t" placeholder:"TYPE" help:"Content type of the payload, such as application/json."`
	Timeout     time.Duration `placeholder:"DURATION" help:"How long to wait until the device listens, such as 30s; at most 60s, in whole seconds."`
	Wait        time.Duration `placeholder:"DURATION" help:"How long to wait for the device's answer, which is printed as it is; together with --timeout at most 60s."`
}

// Help tells what cannot be seen from the flags.
func (*commandCommand) Help() string {
	return "A command is for who listens now, and is stored nowhere. The status is 1 if nobody took it, or, with --wait, if nobody answered."
}

// Run sends the command, and shows to whom.
func (c *commandCommand) Run(ctx context.Context, t terminal) error {
	if c.Timeout < 0 || c.Timeout > time.Minute {
		return errors.New("--timeout must lie between 0s and 60s")
	}
	if c.Wait < 0 || c.Wait+c.Timeout > time.Minute {
		return errors.New("--wait must lie between 0s and 60s, together with --timeout")
	}
	session, err := c.session()
	if err != nil {
		return err
	}
	application, err := c.application(session)
	if err != nil {
		return err
	}
	payload, err := c.payload(t.in)
	if err != nil {
		return err
	}
	client, err := session.Commands(ctx)
	if err != nil {
		return err
	}
	command := &cloud.Command{
		Application: application, Device: c.Device, Name: c.Name, ContentType: c.ContentType, Payload: payload, Timeout: c.Timeout, Wait: c.Wait,
	}
	if c.Wait > 0 {
		answer, err := client.Ask(ctx, command)
		if err != nil {
			return about(c.Device, err)
		}
		_, err = t.out.Write(answer)
		return err
	}
	result, err := client.Send(ctx, command)
	if err != nil {
		return about(c.Device, err)
	}
	return c.show(t, &result)
}

func (c *commandCommand) payload(in io.Reader) ([]byte, error) {
	if c.Data != "-" {
		return []byte(c.Data), nil
	}
	payload, err := io.ReadAll(io.LimitReader(in, maxPayload+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the payload: %w", err)
	case len(payload) > maxPayload:
		return nil, fmt.Errorf("the payload is larger than %d bytes", maxPayload)
	}
	return payload, nil
}

// show lists who was reached, and by which protocol.
func (c *commandCommand) show(t terminal, result *cloud.Commanded) (err error) {
	list := c.list(t, []column{
		{name: "DEVICE", text: func(d document) string { return d.Device }},
		{name: "PROTOCOL", text: func(d document) string { return d.Protocol }},
		{name: "OUTCOME", text: func(d document) string { return d.Outcome }},
		{name: "LISTENERS", text: func(d document) string { return strconv.Itoa(d.Listeners) }},
	})
	for _, target := range result.Targets {
		if err = list.add(target); err != nil {
			break
		}
	}
	if err = list.end(err); err != nil {
		return err
	}
	if result.Reached == 0 {
		fmt.Fprintln(t.err, "nobody took the command")
		return errReported
	}
	return nil
}
