package cloud

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/fairlead/fairlead/internal/devcloud/folder"
)

// maxContexts bounds the file, in bytes.
const maxContexts = 1 << 20

// Contexts are the installations that a user knows, by names of their choice. They are kept in a file that is readable
// for its owner only, since it holds tokens.
type Contexts struct {
	Current string              `json:"current,omitempty"`
	All     map[string]*Context `json:"contexts,omitempty"`

	path string
}

// A Context is one installation and a user's way into it. It has an access token, or a login, or neither.
type Context struct {
	URL         string `json:"url"`                   // of the API
	Application string `json:"application,omitempty"` // that is meant where none is named
	User        string `json:"user,omitempty"`        // of the access token; may be ""
	AccessToken string `json:"accessToken,omitempty"`
	Login       *Login `json:"login,omitempty"`
}

// A Login is what an OpenID provider has given.
type Login struct {
	ClientID     string    `json:"clientId"`
	TokenURL     string    `json:"tokenUrl"`
	Token        string    `json:"token"`
	Expires      time.Time `json:"expires,omitzero"`
	RefreshToken string    `json:"refreshToken,omitempty"`
}

// String keeps the tokens out of logs.
func (c *Context) String() string { return "context of " + c.URL }

// GoString keeps the tokens out of logs.
func (c *Context) GoString() string { return c.String() }

// DefaultPath is where contexts are kept: in the user's configuration folder.
func DefaultPath() (string, error) {
	base, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("looking for the configuration folder: %w", err)
	}
	return filepath.Join(base, "fairlead", "contexts.yaml"), nil
}

// LoadContexts reads a file. One that is not there is empty.
func LoadContexts(path string) (*Contexts, error) {
	c := &Contexts{All: map[string]*Context{}, path: path}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading contexts: %w", err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxContexts+1))
	if err != nil {
		return nil, fmt.Errorf("reading contexts: %w", err)
	}
	if len(text) > maxContexts {
		return nil, fmt.Errorf("reading contexts: %s is larger than %d bytes", path, maxContexts)
	}
	if err := yaml.UnmarshalStrict(text, c); err != nil {
		return nil, fmt.Errorf("reading contexts: %s does not parse; mend it or remove it", path)
	}
	if c.All == nil {
		c.All = map[string]*Context{}
	}
	for name, context := range c.All {
		if context == nil {
			return nil, fmt.Errorf("reading contexts: %s: %s is empty; mend it or remove it", path, name)
		}
	}
	return c, nil
}

// Save writes the file. Whoever reads it meanwhile sees the old content or the new one.
func (c *Contexts) Save() error {
	text, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("writing contexts: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return fmt.Errorf("writing contexts: %w", err)
	}
	if err := folder.Write(c.path, text); err != nil {
		return fmt.Errorf("writing contexts: %w", err)
	}
	return nil
}

// Names lists all contexts in order.
func (c *Contexts) Names() []string { return slices.Sorted(maps.Keys(c.All)) }

// Get finds a context; "" is the current one.
func (c *Contexts) Get(name string) (string, *Context, error) {
	if name == "" {
		name = c.Current
	}
	if name == "" {
		return "", nil, errors.New("there is no current context; log in with: fairlead login URL")
	}
	context, ok := c.All[name]
	if !ok {
		return "", nil, fmt.Errorf("there is no context %q", name)
	}
	return name, context, nil
}

// contextName is what a context may be called: it is typed on command lines.
var contextName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func checkContextName(name string) error {
	if !contextName.MatchString(name) {
		return errors.New("the name of a context has letters, digits, dots, hyphens and underscores, and begins with a letter or digit")
	}
	return nil
}

// Rename gives a context another name.
func (c *Contexts) Rename(name, next string) error {
	if err := checkContextName(next); err != nil {
		return err
	}
	context, ok := c.All[name]
	if !ok {
		return fmt.Errorf("there is no context %q", name)
	}
	if _, taken := c.All[next]; taken && next != name {
		return fmt.Errorf("there is a context %q already", next)
	}
	delete(c.All, name)
	c.All[next] = context
	if c.Current == name {
		c.Current = next
	}
	return nil
}

// Put keeps a context under a name and makes it the current one. The application that was meant there stays.
func (c *Contexts) Put(name string, context *Context) error {
	if err := checkContextName(name); err != nil {
		return err
	}
	if before, ok := c.All[name]; ok && context.Application == "" && before.URL == context.URL {
		context.Application = before.Application
	}
	c.All[name], c.Current = context, name
	return nil
}

// Delete forgets a context.
func (c *Contexts) Delete(name string) error {
	if _, ok := c.All[name]; !ok {
		return fmt.Errorf("there is no context %q", name)
	}
	delete(c.All, name)
	if c.Current == name {
		c.Current = ""
	}
	return nil
}
