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
	return NewCommand(c, p, s, users), nil
}

// NewCommand makes it for users who are known already.
func NewCommand(c *Config, p *assembly.Parts, s *store.Store, users command.Users) http.Handler {
	return command.New(c.Command, command.Parts{
		Users: users, Tenants: s, Documents: p.Documents, Router: p.Router, Log: p.Log, Refusals: p.Refusals,
	})
}
