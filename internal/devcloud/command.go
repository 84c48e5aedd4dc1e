package devcloud

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/functions/command"
	"github.com/fairlead/fairlead/internal/assembly/functions"
	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
	"github.com/fairlead/fairlead/triggers"
)

// commandEvents is the name of the function in a cluster, as Triggers refer to it.
const commandEvents = "fairlead-command-events"

// command adds the function that takes commands, twice: for users, and for the dispatcher, which shows no token.
func (f *Functions) command(c functions.Config, s *store.Store) error {
	var users command.Users
	if f.Registry != nil {
		users = f.Registry.Users
	} else {
		nobody, err := user.New(user.DefaultConfig(), nil, nil, f.Log)
		if err != nil {
			return err
		}
		users = nobody
	}
	c.Outbound.Allow = everywhere
	var err error
	if f.Command, err = functions.NewCommand(&c, f.Parts, s, users); err != nil {
		return err
	}
	c.Command.OpenEvents = true
	f.CommandEvents, err = functions.NewCommand(&c, f.Parts, s, users)
	return err
}

// api is the port of the API. As on a cluster, nobody cleans paths before the functions see them.
func api(f *Functions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.EscapedPath(), command.Base+"/") {
			f.Command.ServeHTTP(w, r)
			return
		}
		f.Registry.ServeHTTP(w, r)
	})
}

// serveCommand serves the function for the dispatcher.
func (d *Dev) serveCommand(deadLetter string) (*commanding, error) {
	listener, err := listen("command", "127.0.0.1:0") // only the dispatcher asks for it
	if err != nil {
		return nil, err
	}
	d.onClose(serve(newServer(d.functions.CommandEvents), listener, d.fail))
	d.commandURL = url(listener)
	return &commanding{function: d.commandURL, deadLetter: deadLetter}, nil
}

// A commanding has a Trigger to the function command for every application that has another one, whose subscriber may answer with
// a command. On a cluster functions/provision makes it.
type commanding struct {
	function   string // URL of the function, without a slash at the end
	deadLetter string // URL; "" for none
}

// add adds the Triggers, where no manifest has one.
func (c *commanding) add(all []dispatch.Subscription) []dispatch.Subscription {
	seen := map[string]bool{}
	for _, s := range all {
		if strings.HasPrefix(s.Subscriber, c.function+"/") {
			seen[s.Application] = true
		}
	}
	for _, s := range slices.Clone(all) {
		if s.Application == "" || seen[s.Application] {
			continue
		}
		seen[s.Application] = true
		all = append(all, dispatch.Subscription{
			Name: "fairlead/command-" + s.Application, Group: "fairlead-command." + s.Application, Topic: event.Topic(s.Application),
			Application: s.Application, Filter: onlyCommands{}, Subscriber: c.function + "/" + s.Application, DeadLetter: c.deadLetter,
			Policy: pushPolicy, Version: "1",
		})
	}
	return all
}

// onlyCommands lets through what is for devices.
type onlyCommands struct{}

var _ dispatch.Filter = onlyCommands{}

// Select never fails.
func (onlyCommands) Select(e *triggers.Event) (bool, error) {
	return e.Type() == event.TypeCommand, nil
}
