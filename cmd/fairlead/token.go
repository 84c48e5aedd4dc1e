package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/cloud"
)

type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Make an access token and print it. It is shown this once."`
	List   tokenList   `cmd:"" help:"List your access tokens."`
	Delete tokenDelete `cmd:"" help:"End access tokens."`
}

type tokenCreate struct {
	remote
	Description string        `short:"d" help:"What it is for."`
	For         time.Duration `placeholder:"DURATION" help:"How long it lives, as in 720h; without it, as long as the installation allows."`
	App         []string      `short:"a" complete:"app" placeholder:"NAME" help:"Application for which it is good, and no other; repeatable."`
	Permission  string        `enum:"Read,Write,Admin,Owner," default:"" help:"Highest permission that it gives: Read, Write, Admin or Owner."`
}

// Run makes an access token. It goes to standard output alone, for other programs.
func (c *tokenCreate) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	wish := cloud.TokenWish{Description: c.Description, Scope: cloud.TokenScope{Applications: c.App, Permission: c.Permission}}
	if c.For < 0 {
		return errors.New("--for: must not be negative")
	}
	if c.For > 0 {
		wish.Expires = time.Now().UTC().Add(c.For).Truncate(time.Second)
	}
	token, err := client.CreateToken(ctx, wish)
	if err != nil {
		return err
	}
	if c.For > 0 && token.Expires.IsZero() {
		// Drogue Cloud knows neither.
		return errors.Join(errors.New("this installation has no access tokens that expire; the one that it made is ended"), client.DeleteToken(ctx, token.Prefix))
	}
	_, err = fmt.Fprintln(t.out, token.Token)
	return err
}

type tokenList struct {
	remote
	output
}

// Run lists access tokens, which shows the prefix of each.
func (c *tokenList) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	list := c.list(t, []column{
		{name: "PREFIX", text: func(d document) string { return d.Prefix }},
		{name: "AGE", time: func(d document) time.Time { return d.Created }},
		{name: "EXPIRES", time: func(d document) time.Time { return d.Expires }},
		{name: "SCOPE", text: scopeText},
		{name: "DESCRIPTION", text: func(d document) string { return d.Description }},
	})
	return list.end(client.Tokens(ctx, func(raw json.RawMessage) error { return list.add(raw) }))
}

func scopeText(d document) string {
	parts := d.Scope.Applications
	if d.Scope.Permission != "" {
		parts = append([]string{d.Scope.Permission}, parts...)
	}
	return strings.Join(parts, ",")
}

type tokenDelete struct {
	remote
	IgnoreMissing bool     `help:"Say nothing of those that are not there."`
	Prefixes      []string `arg:"" name:"prefix" complete:"token" help:"Prefixes of access tokens, as the list shows them."`
}

// Run ends access tokens.
func (c *tokenDelete) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	for i, prefix := range c.Prefixes {
		if len(prefix) > len("drg_012345") && strings.HasPrefix(prefix, "drg_") {
			c.Prefixes[i] = prefix[:len("drg_012345")] // the whole token, or the prefix with its underscore
		}
	}
	return deleteAll(t, "access token", c.Prefixes, c.IgnoreMissing, func(prefix string) error { return client.DeleteToken(ctx, prefix) })
}
