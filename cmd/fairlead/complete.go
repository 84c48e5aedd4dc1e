package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/fairlead/fairlead/internal/cloud"
)

const (
	// completeTimeout is how long a person who presses the tabulator waits for an installation.
	completeTimeout = 2 * time.Second
	// maxSuggested is how many names of an installation are suggested.
	maxSuggested = 200
)

type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"Words of the command line; the last one is being typed."`
}

// A suggestion is a word that may come next.
type suggestion struct{ word, help string }

// Run prints suggestions, and nothing at all where something fails: nobody reads errors while typing.
func (c *completeCommand) Run(ctx context.Context, t terminal, parsed *kong.Context) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	for _, s := range complete(ctx, parsed.Model.Node, joinAssignments(words)) {
		if _, err := fmt.Fprintf(t.out, "%s\t%s\n", oneLine(s.word), oneLine(s.help)); err != nil {
			return err
		}
	}
	return nil
}

// joinAssignments puts --flag=value together, which bash takes apart.
func joinAssignments(words []string) (joined []string) {
	for i, word := range words {
		switch {
		case word == "=" && len(joined) > 0:
			joined[len(joined)-1] += "="
		case i > 0 && words[i-1] == "=" && len(joined) > 0:
			joined[len(joined)-1] += word
		default:
			joined = append(joined, word)
		}
	}
	return joined
}

// A line is a command line as far as it is typed.
type line struct {
	node   *kong.Node
	given  map[string]string // values of flags, by the names of the flags
	values int               // positional arguments before the word that is being typed
	flag   *kong.Flag        // whose value is being typed, or nil
	only   bool              // after "--": no more flags
}

// complete suggests what the last word may become.
func complete(ctx context.Context, root *kong.Node, words []string) (found []suggestion) {
	typed := words[len(words)-1]
	l := readLine(root, words[:len(words)-1])
	lead := ""
	if name, value, ok := strings.Cut(typed, "="); ok && !l.only && l.flag == nil && strings.HasPrefix(name, "--") {
		if l.flag = l.find(name); l.flag == nil {
			return nil
		}
		lead, typed = name+"=", value
	}
	var all []suggestion
	switch {
	case l.flag != nil:
		all = l.suggest(ctx, l.flag.Value)
	case strings.HasPrefix(typed, "-") && !l.only:
		all = l.flags()
	default:
		all = l.words(ctx)
	}
	for _, s := range all {
		if strings.HasPrefix(s.word, typed) {
			found = append(found, suggestion{lead + s.word, s.help})
		}
	}
	return found
}

// readLine follows the words that are complete.
func readLine(root *kong.Node, words []string) *line {
	l := &line{node: root, given: map[string]string{}}
	for _, word := range words {
		switch {
		case l.flag != nil:
			l.given[l.flag.Name], l.flag = word, nil
		case word == "--":
			l.only = true
		case strings.HasPrefix(word, "-") && !l.only:
			l.readFlag(word)
		default:
			l.readWord(word)
		}
	}
	return l
}

func (l *line) readFlag(word string) {
	name, value, assigned := strings.Cut(word, "=")
	flag := l.find(name)
	switch {
	case flag == nil:
	case assigned:
		l.given[flag.Name] = value
	case !flag.IsBool():
		l.flag = flag
	}
}

func (l *line) readWord(word string) {
	for _, child := range l.node.Children {
		if child.Name == word || slices.Contains(child.Aliases, word) {
			l.node = child
			return
		}
	}
	l.values++
}

// find finds a flag of the command or of those above it.
func (l *line) find(word string) *kong.Flag {
	for _, group := range l.node.AllFlags(false) {
		for _, flag := range group {
			if word == "--"+flag.Name || (flag.Short != 0 && word == "-"+string(flag.Short)) {
				return flag
			}
		}
	}
	return nil
}

func (l *line) flags() (all []suggestion) {
	for _, group := range l.node.AllFlags(true) {
		for _, flag := range group {
			all = append(all, suggestion{"--" + flag.Name, flag.Help})
		}
	}
	return all
}

// words are the commands below the present one, or values of its next argument.
func (l *line) words(ctx context.Context) (all []suggestion) {
	for _, child := range l.node.Children {
		if !child.Hidden {
			all = append(all, suggestion{child.Name, child.Help})
		}
	}
	if len(all) > 0 || len(l.node.Positional) == 0 {
		return all
	}
	i := min(l.values, len(l.node.Positional)-1)
	next := l.node.Positional[i]
	if i < l.values && !next.IsCumulative() {
		return nil
	}
	return l.suggest(ctx, next)
}

// suggest gives the values that a flag or argument may have: those of an enumeration, or what the tag complete names.
func (l *line) suggest(ctx context.Context, v *kong.Value) (all []suggestion) {
	if v.Enum != "" {
		for _, word := range v.EnumSlice() {
			if word != "" {
				all = append(all, suggestion{word, ""})
			}
		}
		return all
	}
	what := v.Tag.Get("complete")
	if what == "" {
		return nil
	}
	from := remote{
		Context: firstText(l.given["context"], os.Getenv("FAIRLEAD_CONTEXT")),
		Config:  firstText(l.given["config"], os.Getenv("FAIRLEAD_CONFIG")),
	}
	if what == "context" {
		return contextsIn(&from)
	}
	in := inApplication{remote: from, App: firstText(l.given["app"], os.Getenv("FAIRLEAD_APP"))}
	switch what {
	case "app":
		client, err := from.connect()
		if err != nil {
			return nil
		}
		return names(func(s cloud.Selection, each func(json.RawMessage) error) error {
			return client.Applications(ctx, s, each)
		})
	case "device":
		client, application, err := in.connect()
		if err != nil {
			return nil
		}
		return names(func(s cloud.Selection, each func(json.RawMessage) error) error {
			return client.Devices(ctx, application, s, each)
		})
	case "token":
		client, err := from.connect()
		if err != nil {
			return nil
		}
		_ = client.Tokens(ctx, func(raw json.RawMessage) error {
			d := readDocument(raw)
			all = append(all, suggestion{d.Prefix, d.Description})
			return nil
		})
	case "member":
		all = membersIn(ctx, &in)
	case "anchor":
		all = anchorsIn(ctx, &in)
	}
	return all
}

func contextsIn(from *remote) (all []suggestion) {
	contexts, err := from.contexts()
	if err != nil {
		return nil
	}
	for _, name := range contexts.Names() {
		all = append(all, suggestion{name, contexts.All[name].URL})
	}
	return all
}

func membersIn(ctx context.Context, in *inApplication) (all []suggestion) {
	client, application, err := in.connect()
	if err != nil {
		return nil
	}
	members, err := client.Members(ctx, application)
	if err != nil {
		return nil
	}
	for name, member := range members.Members {
		all = append(all, suggestion{shown(name), member.Role})
	}
	return all
}

var errEnough = errors.New("enough")

// names are those of the first resources of a list.
func names(list func(cloud.Selection, func(json.RawMessage) error) error) (all []suggestion) {
	_ = list(cloud.Selection{Limit: maxSuggested}, func(raw json.RawMessage) error {
		d := readDocument(raw)
		all = append(all, suggestion{d.Metadata.Name, labelText(d.Metadata.Labels)})
		if len(all) >= maxSuggested {
			return errEnough
		}
		return nil
	})
	return all
}
