package main

import (
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/internal/cloud"
)

// remote are the flags of every command that talks to an installation.
type remote struct {
	Context string `env:"FAIRLEAD_CONTEXT" complete:"context" placeholder:"NAME" group:"Installation" help:"Context to use instead of the current one."`
	Config  string `type:"path" env:"FAIRLEAD_CONFIG" placeholder:"FILE" group:"Installation" help:"File with contexts, instead of the one in the configuration folder."`
}

func (r *remote) path() (string, error) {
	if r.Config != "" {
		return r.Config, nil
	}
	return cloud.DefaultPath()
}

func (r *remote) contexts() (*cloud.Contexts, error) {
	path, err := r.path()
	if err != nil {
		return nil, err
	}
	return cloud.LoadContexts(path)
}

func (r *remote) session() (*cloud.Session, error) {
	path, err := r.path()
	if err != nil {
		return nil, err
	}
	return cloud.Open(path, r.Context)
}

func (r *remote) connect() (*cloud.Client, error) {
	session, err := r.session()
	if err != nil {
		return nil, err
	}
	return session.Client()
}

// inApplication are the flags of every command about something in an application.
type inApplication struct {
	remote
	App string `short:"a" env:"FAIRLEAD_APP" complete:"app" placeholder:"NAME" group:"Installation" help:"Application, instead of the one of the context."`
}

// connect also says which application is meant.
func (i *inApplication) connect() (client *cloud.Client, application string, err error) {
	session, err := i.session()
	if err != nil {
		return nil, "", err
	}
	if application, err = i.application(session); err != nil {
		return nil, "", err
	}
	client, err = session.Client()
	return client, application, err
}

// application is the one that is meant.
func (i *inApplication) application(session *cloud.Session) (string, error) {
	if i.App != "" {
		return i.App, nil
	}
	if application := session.Context().Application; application != "" {
		return application, nil
	}
	return "", errors.New("which application? Name it with --app, or for all commands with: fairlead context set-app")
}

// about puts what a call was about before its error.
func about(what string, err error) error {
	if err == nil {
		return nil
	}
	if cloud.IsUnreachable(err) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}
