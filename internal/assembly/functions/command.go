package functions

import (
	"net/http"

	"github.com/fairlead/fairlead/functions/command"
	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/accounts"
	"github.com/fairlead/fairlead/internal/user"
)

// newCommand makes the function that takes commands from applications.
func newCommand(c *Config, p *assembly.Parts, s *store.Store) (http.Handler, error) {
	directory := accounts.New(s)
	users, err := user.New(c.User, directory, directory, p.Log)
	if err != nil {
		return nil, err
	}
	p.Health.Add(process.Check{Name: "registry", Run: s.Ready})
	return NewCommand(c, p, s, users)
}

// NewCommand makes it for users who are known already.
func NewCommand(c *Config, p *assembly.Parts, s *store.Store, users command.Users) (http.Handler, error) {
	outside, err := NewExternal(c, p)
	if err != nil {
		return nil, err
	}
	return command.New(c.Command, command.Parts{
		Users: users, Tenants: s, Documents: p.Documents, Router: p.Router, External: outside, Log: p.Log, Refusals: p.Refusals,
	}), nil
}
