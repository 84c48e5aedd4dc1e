package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/fairlead/fairlead/internal/cloud"
)

// everybody is how the command line writes the member "".
const everybody = "*"

type memberCommand struct {
	Create memberCreate `cmd:"" aliases:"add,set" help:"Give a user a role in an application, or another role."`
	Get    memberGet    `cmd:"" help:"Show the role of a user in an application."`
	List   memberList   `cmd:"" help:"List the members of an application."`
	Edit   memberEdit   `cmd:"" help:"Edit the members of an application in your editor."`
	Delete memberDelete `cmd:"" help:"Take the roles of users away."`
}

func memberColumns() []column {
	return []column{
		{name: "USER", text: func(d document) string { return d.User }},
		{name: "ROLE", text: func(d document) string { return d.Role }},
	}
}

type memberLine struct {
	User string `json:"user"`
	Role string `json:"role"`
}

// key is a member's name in the API.
func key(user string) string {
	if user == everybody {
		return ""
	}
	return user
}

// shown is a member's name on the command line.
func shown(name string) string {
	if name == "" {
		return everybody
	}
	return name
}

// changeMembers reads the members, changes them and writes them, again if somebody else was faster.
func changeMembers(ctx context.Context, in *inApplication, do func(map[string]cloud.Member) error) error {
	client, application, err := in.connect()
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		var members *cloud.Members
		if members, err = client.Members(ctx, application); err == nil {
			if err = do(members.Members); err == nil {
				err = client.SetMembers(ctx, application, members)
			}
		}
		if !cloud.IsConflict(err) || attempt == applyAttempts {
			return about("members of application "+application, err)
		}
	}
}

type memberCreate struct {
	inApplication
	User string `arg:"" help:"Name of a user who has logged in before, or * for everybody, who may then read, logged in or not."`
	Role string `arg:"" enum:"reader,manager,admin" help:"Role: reader, manager or admin."`
}

// Run gives a user a role.
func (c *memberCreate) Run(ctx context.Context, t terminal) error {
	err := changeMembers(ctx, &c.inApplication, func(members map[string]cloud.Member) error {
		members[key(c.User)] = cloud.Member{Role: c.Role}
		return nil
	})
	if err == nil {
		fmt.Fprintf(t.err, "%s is now %s\n", printable(c.User), c.Role)
	}
	return err
}

type memberGet struct {
	inApplication
	User string `arg:"" complete:"member" help:"Name of the user, or * for everybody."`
}

// Run shows the role of a user.
func (c *memberGet) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	members, err := client.Members(ctx, application)
	if err != nil {
		return about("members of application "+application, err)
	}
	member, ok := members.Members[key(c.User)]
	if !ok {
		return fmt.Errorf("%s is no member of application %s", printable(c.User), application)
	}
	_, err = fmt.Fprintln(t.out, oneLine(member.Role))
	return err
}

type memberList struct {
	inApplication
	output
}

// Run lists members in the order of their names.
func (c *memberList) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	members, err := client.Members(ctx, application)
	if err != nil {
		return about("members of application "+application, err)
	}
	list := c.list(t, memberColumns())
	for _, name := range slices.Sorted(maps.Keys(members.Members)) {
		line, err := json.Marshal(memberLine{shown(name), members.Members[name].Role})
		if err != nil {
			return err
		}
		if err := list.add(line); err != nil {
			return err
		}
	}
	return list.end(nil)
}

type memberEdit struct{ inApplication }

// Run lets a person edit all members at once.
func (c *memberEdit) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	what := "members of application " + application
	before, err := client.Members(ctx, application)
	if err != nil {
		return about(what, err)
	}
	text, err := yaml.Marshal(before)
	if err != nil {
		return err
	}
	name, edited, err := askEditor(ctx, t, text, ".yaml")
	if err != nil {
		return err
	}
	if bytes.Equal(text, edited) {
		fmt.Fprintln(t.err, "nothing was changed")
		return os.Remove(name)
	}
	var after cloud.Members
	if err = yaml.UnmarshalStrict(edited, &after); err == nil {
		err = client.SetMembers(ctx, application, &after)
	}
	if err != nil {
		return fmt.Errorf("%w; what you wrote is in %s", about(what, err), name)
	}
	fmt.Fprintln(t.err, "changed")
	return os.Remove(name)
}

type memberDelete struct {
	inApplication
	IgnoreMissing bool     `help:"Say nothing of those who are no members."`
	Users         []string `arg:"" name:"user" complete:"member" help:"Names of users, or * for everybody."`
}

// Run takes roles away, all or none.
func (c *memberDelete) Run(ctx context.Context, t terminal) error {
	return changeMembers(ctx, &c.inApplication, func(members map[string]cloud.Member) error {
		for _, user := range c.Users {
			if _, ok := members[key(user)]; !ok && !c.IgnoreMissing {
				return fmt.Errorf("%s is no member", printable(user))
			}
			delete(members, key(user))
		}
		return nil
	})
}
