package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/cloud"
)

type watchCommand struct {
	remote
	App     string `arg:"" complete:"app" help:"Application."`
	Channel string `placeholder:"NAME" help:"Only events of this channel."`
	Device  string `placeholder:"NAME" help:"Only events of this device."`
	Group   string `placeholder:"NAME" help:"Share the events with others of the group, and go on where it was. What is shown counts as consumed."`
	From    string `placeholder:"WHERE" help:"Where to begin, or where a new group does: earliest, latest, a time such as 2026-01-31T08:00:00Z, or an offset."`
	Output  string `short:"o" enum:"auto,table,json" default:"auto" help:"How to show events: table, or json with one event on each line. Left to itself, a table on a terminal and json elsewhere."`
}

// Help tells what cannot be seen from the flags.
func (*watchCommand) Help() string {
	return "Events are shown as they come, until Ctrl-C. A connection that breaks is made again."
}

// Run shows events until it is interrupted.
func (c *watchCommand) Run(ctx context.Context, t terminal) error {
	session, err := c.session()
	if err != nil {
		return err
	}
	client, err := session.Events(ctx)
	if err != nil {
		return err
	}
	show := func(event json.RawMessage) error {
		_, err := fmt.Fprintf(t.out, "%s\n", event)
		return err
	}
	if c.Output == "table" || c.Output == "auto" && isTerminal(t.out) {
		fmt.Fprintf(t.err, watchLine, "TIME", "DEVICE", "CHANNEL", "DATA")
		show = func(event json.RawMessage) error { return showEvent(t.out, event) }
	}
	watched := cloud.Watch{Application: c.App, Channel: c.Channel, Device: c.Device, Group: c.Group, From: c.From}
	return about("application "+c.App, client.Watch(ctx, watched, show))
}

// watchLine is the form of a line of the live table.
const watchLine = "%-12s  %-20s  %-14s  %s\n"

// maxShownData is how many bytes of data a line shows.
const maxShownData = 120

// A watchedEvent is what a line shows of an event.
type watchedEvent struct {
	Time                  time.Time
	Device, Subject, Type string
	Data                  json.RawMessage
	Base64                string `json:"data_base64"`
}

// showEvent writes the line of an event.
func showEvent(out io.Writer, event json.RawMessage) error {
	var e watchedEvent
	if err := json.Unmarshal(event, &e); err != nil {
		return fmt.Errorf("an event does not parse: %w", err)
	}
	_, err := fmt.Fprintf(out, watchLine, e.Time.Local().Format("15:04:05.000"), oneLine(e.Device), oneLine(e.Subject), e.data())
	return err
}

// data is the data on one line.
func (e *watchedEvent) data() string {
	text := []byte(e.Data)
	if e.Base64 != "" {
		decoded, err := base64.StdEncoding.DecodeString(e.Base64)
		if err != nil || !utf8.Valid(decoded) {
			return fmt.Sprintf("(%d bytes)", len(decoded))
		}
		text = decoded
	}
	shown := []rune(string(text))
	if len(shown) > maxShownData {
		return oneLine(string(shown[:maxShownData])) + "…"
	}
	return oneLine(string(shown))
}
