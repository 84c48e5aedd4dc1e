package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/internal/registry"
)

type contextCommand struct {
	List   contextList   `cmd:"" help:"List the contexts."`
	Use    contextUse    `cmd:"" help:"Make a context the current one."`
	SetApp contextSetApp `cmd:"" name:"set-app" help:"Say which application is meant where none is named."`
	Rename contextRename `cmd:"" help:"Give a context another name."`
	Delete contextDelete `cmd:"" help:"Forget a context and its tokens."`
}

type contextList struct {
	remote
	output
}

// A contextLine is what is shown of a context.
type contextLine struct {
	Name        string `json:"name"`
	URL         string `json:"url"`
	Application string `json:"application,omitempty"`
	Current     bool   `json:"current,omitempty"`
}

type shownContext struct {
	Context contextLine `json:"context"`
}

// Run shows everything but the tokens.
func (c *contextList) Run(t terminal) error {
	contexts, err := c.contexts()
	if err != nil {
		return err
	}
	field := func(get func(contextLine) string) func(document) string {
		return func(d document) string { return get(d.Context) }
	}
	list := c.list(t, []column{
		{name: "CURRENT", text: field(func(l contextLine) string {
			if l.Current {
				return "*"
			}
			return ""
		})},
		{name: "NAME", text: field(func(l contextLine) string { return l.Name })},
		{name: "URL", text: field(func(l contextLine) string { return l.URL })},
		{name: "APPLICATION", text: field(func(l contextLine) string { return l.Application })},
	})
	for _, name := range contexts.Names() {
		context := contexts.All[name]
		line, err := json.Marshal(shownContext{contextLine{name, context.URL, context.Application, name == contexts.Current}})
		if err != nil {
			return err
		}
		if err := list.add(line); err != nil {
			return err
		}
	}
	return list.end(nil)
}

type contextUse struct {
	remote
	Name string `arg:"" complete:"context" help:"Context."`
}

// Run makes a context the current one.
func (c *contextUse) Run(t terminal) error {
	contexts, err := c.contexts()
	if err != nil {
		return err
	}
	name, context, err := contexts.Get(c.Name)
	if err != nil {
		return err
	}
	contexts.Current = name
	if err := contexts.Save(); err != nil {
		return err
	}
	fmt.Fprintf(t.err, "using %s\n", context.URL)
	return nil
}

type contextSetApp struct {
	remote
	Name string `arg:"" complete:"app" help:"Application."`
}

// Run says which application is meant. It need not exist yet.
func (c *contextSetApp) Run() error {
	if err := registry.ValidateApplicationName(c.Name); err != nil {
		return err
	}
	contexts, err := c.contexts()
	if err != nil {
		return err
	}
	_, context, err := contexts.Get(c.Context)
	if err != nil {
		return err
	}
	context.Application = c.Name
	return contexts.Save()
}

type contextRename struct {
	remote
	Name string `arg:"" complete:"context" help:"Context."`
	Next string `arg:"" name:"new-name" help:"Its new name."`
}

// Run renames a context.
func (c *contextRename) Run(t terminal) error {
	contexts, err := c.contexts()
	if err != nil {
		return err
	}
	if err := contexts.Rename(c.Name, c.Next); err != nil {
		return err
	}
	if err := contexts.Save(); err != nil {
		return err
	}
	fmt.Fprintf(t.err, "context %s is now %s\n", c.Name, c.Next)
	return nil
}

type contextDelete struct {
	remote
	Names []string `arg:"" name:"name" complete:"context" help:"Contexts."`
}

// Run forgets contexts.
func (c *contextDelete) Run() error {
	contexts, err := c.contexts()
	if err != nil {
		return err
	}
	var problems []error
	for _, name := range c.Names {
		problems = append(problems, contexts.Delete(name))
	}
	return errors.Join(append(problems, contexts.Save())...)
}
