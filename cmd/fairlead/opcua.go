package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/internal/opcua/mapping"
)

type opcuaCommand struct {
	Browse opcuaBrowse `cmd:"" help:"Show the nodes of an OPC UA server as a tree, to write a mapping from."`
	Check  opcuaCheck  `cmd:"" help:"Say what is wrong or doubtful in a mapping. Exit status 1 if anything is wrong."`
}

// opcuaAccess are the flags that say how a server is reached.
type opcuaAccess struct {
	Folder  string        `type:"path" placeholder:"FOLDER" help:"Folder with the certificate that is shown to servers, and with those of the servers that are trusted; made if it is missing. By default it lies in your configuration folder."`
	Timeout time.Duration `default:"10s" placeholder:"DURATION" help:"How long to wait for an answer of the server (${default})."`
}

// config has the folder, which is found if none is given.
func (a *opcuaAccess) config() (opcua.EndpointConfig, error) {
	c := opcua.EndpointConfig{Name: "cli", Folder: a.Folder, Timeout: a.Timeout}
	if c.Folder != "" {
		return c, nil
	}
	base, err := os.UserConfigDir()
	if err != nil {
		return c, fmt.Errorf("looking for the configuration folder: %w", err)
	}
	c.Folder = filepath.Join(base, "fairlead", "opcua")
	return c, nil
}

// dialOPCUA connects to a server for one command line.
func dialOPCUA(ctx context.Context, c opcua.EndpointConfig) (*opcua.Connection, error) {
	connection, err := opcua.Dial(ctx, c, zap.NewNop())
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", c.URL, err)
	}
	return connection, nil
}

type opcuaBrowse struct {
	opcuaAccess
	URL         string `arg:"" help:"URL of the server: opc.tcp://host:port/path."`
	Policy      string `default:"None" enum:"None,Basic256Sha256,Aes128_Sha256_RsaOaep,Aes256_Sha256_RsaPss" help:"Security policy: ${enum} (${default})."`
	Mode        string `default:"" enum:",None,Sign,SignAndEncrypt" help:"Security mode: None, Sign or SignAndEncrypt, which is the default with a policy."`
	User        string `xor:"who" placeholder:"NAME" help:"User at the server; anonymous without it."`
	Password    string `type:"path" name:"password-file" placeholder:"FILE" help:"File with the password of the user."`
	Certificate string `type:"path" xor:"who" placeholder:"FILE" help:"PEM file with the certificate of the user."`
	Key         string `type:"path" placeholder:"FILE" help:"PEM file with the key of the certificate."`

	Start      string `default:"i=85" placeholder:"ID" help:"Node to begin at (${default}, the folder Objects)."`
	Depth      int    `default:"8" placeholder:"N" help:"How many levels to show, at most 32 (${default})."`
	Properties bool   `help:"Show properties, too, such as EURange."`
	Server     bool   `help:"Show what is below the object Server, too, which says how the server is."`
}

// Help tells what cannot be seen from the flags.
func (*opcuaBrowse) Help() string {
	return "Each line has the browse name of a node as paths of a mapping have it, its node id, its class, and the type of a variable. " +
		"Nodes that are there on several ways are shown once with what is below them."
}

// maxDepth bounds how far a server is looked through.
const maxDepth = 32

// Run shows the tree.
func (c *opcuaBrowse) Run(ctx context.Context, t terminal) error {
	if c.Depth < 1 || c.Depth > maxDepth {
		return fmt.Errorf("--depth must lie between 1 and %d", maxDepth)
	}
	start, err := opcua.ParseNodeRef(c.Start)
	if err != nil {
		return fmt.Errorf("--start: %w", err)
	}
	config, err := c.endpoint()
	if err != nil {
		return err
	}
	connection, err := dialOPCUA(ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	tree, err := connection.Browse(ctx, start, opcua.Bounds{Depth: c.Depth})
	if err != nil {
		return fmt.Errorf("browsing %s: %w", start, err)
	}
	(&opcuaTree{out: t.out, flags: c, below: childrenOf(tree.Root), shown: map[opcua.NodeRef]bool{}}).show(tree.Root, 0)
	if tree.Truncated != "" {
		fmt.Fprintf(t.err, "this is not all: %s\n", printable(tree.Truncated))
	}
	return nil
}

func (c *opcuaBrowse) endpoint() (opcua.EndpointConfig, error) {
	config, err := c.config()
	if err != nil {
		return config, err
	}
	if problem := mapping.ValidateURL(c.URL); problem != "" {
		return config, fmt.Errorf("the URL %s", problem)
	}
	config.URL, config.Policy, config.Mode = c.URL, opcua.Policy(c.Policy), opcua.Mode(c.Mode)
	switch {
	case (c.User == "") != (c.Password == ""):
		return config, errors.New("--user and --password-file go together")
	case (c.Certificate == "") != (c.Key == ""):
		return config, errors.New("--certificate and --key go together")
	}
	config.Identity = opcua.Identity{User: c.User, PasswordFile: c.Password, CertificateFile: c.Certificate, KeyFile: c.Key}
	return config, nil
}

// serverObject is the node of the object Server, which every server has.
var serverObject = opcua.NodeRef{Kind: 'i', Identifier: "2253"}

// An opcuaTree shows nodes.
type opcuaTree struct {
	out   io.Writer
	flags *opcuaBrowse
	below map[opcua.NodeRef][]*opcua.TreeNode
	shown map[opcua.NodeRef]bool // with what is below them
}

// childrenOf has the children of each node in a tree, where a node has them in one place only.
func childrenOf(root *opcua.TreeNode) map[opcua.NodeRef][]*opcua.TreeNode {
	below := map[opcua.NodeRef][]*opcua.TreeNode{}
	for stack := []*opcua.TreeNode{root}; len(stack) > 0; {
		n := stack[len(stack)-1]
		stack = append(stack[:len(stack)-1], n.Children...)
		if len(n.Children) > 0 {
			below[n.Ref] = n.Children
		}
	}
	return below
}

// show writes a node and what is below it.
func (t *opcuaTree) show(n *opcua.TreeNode, level int) {
	if n.Property && !t.flags.Properties {
		return
	}
	fields := []string{mapping.Quote(n.BrowseName.Name), n.Ref.String(), string(n.Class)}
	if n.DataType != "" {
		fields = append(fields, n.DataType)
	}
	fmt.Fprintf(t.out, "%s%s\n", strings.Repeat("  ", level), oneLine(strings.Join(fields, "  ")))
	if t.shown[n.Ref] || n.Ref == serverObject && level > 0 && !t.flags.Server {
		return
	}
	t.shown[n.Ref] = true
	for _, child := range t.below[n.Ref] {
		t.show(child, level+1)
	}
}

type opcuaCheck struct {
	opcuaAccess
	File    string `arg:"" type:"path" help:"Mapping: YAML."`
	Against string `placeholder:"URL" help:"Look at this server, too, whether it has what the mapping says. It takes the place of the one of this URL in the mapping, or of the only one."`
	Server  string `placeholder:"NAME" help:"Server of the mapping that --against stands for, if there are several."`
	Strict  bool   `help:"Let warnings count as errors."`
}

// Run prints one line per finding: file:line: severity: path: message.
func (c *opcuaCheck) Run(ctx context.Context, t terminal) error {
	file, findings := mapping.Load(c.File)
	var plan *mapping.Plan
	if file != nil && c.Against != "" {
		more, err := c.resolve(ctx, file, &plan)
		if err != nil {
			return err
		}
		findings = append(findings, more...)
	}
	bad := false
	for _, f := range findings {
		fmt.Fprintln(t.out, printable(f.String()))
		bad = bad || c.Strict || f.Severity == mapping.Error
	}
	if plan != nil {
		fmt.Fprintf(t.err, "%s, %s\n", count(len(plan.Devices), "device"), count(len(plan.Items), "monitored node"))
	}
	if bad {
		return errReported
	}
	fmt.Fprintf(t.err, "%s: no errors\n", c.File)
	return nil
}

// resolve holds the mapping against a server.
func (c *opcuaCheck) resolve(ctx context.Context, file *mapping.File, plan **mapping.Plan) (mapping.Findings, error) {
	server, err := c.server(file)
	if err != nil {
		return nil, err
	}
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	if problem := mapping.ValidateURL(c.Against); problem != "" {
		return nil, fmt.Errorf("--against: the URL %s", problem)
	}
	config.URL, config.Policy, config.Mode, config.Identity = c.Against, server.Policy, server.Mode, server.Identity.Identity
	connection, err := dialOPCUA(ctx, config)
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close() }()
	resolved, findings, err := mapping.Resolve(ctx, c.File, server, mapping.At(connection))
	if err != nil {
		return nil, fmt.Errorf("looking for the nodes of the mapping: %w", err)
	}
	*plan = resolved
	return findings, nil
}

// server is the one of the mapping that --against stands for.
func (c *opcuaCheck) server(file *mapping.File) (*mapping.Server, error) {
	chosen := func(s *mapping.Server) bool { return s.URL.Value == c.Against }
	switch {
	case c.Server != "":
		chosen = func(s *mapping.Server) bool { return s.Name.Value == c.Server }
	case len(file.Servers) == 1:
		return file.Servers[0], nil
	}
	if i := slices.IndexFunc(file.Servers, chosen); i >= 0 {
		return file.Servers[i], nil
	}
	var names []string
	for _, s := range file.Servers {
		names = append(names, s.Name.Value)
	}
	return nil, fmt.Errorf("which server of %s is meant? Say --server with one of %s", c.File, strings.Join(names, ", "))
}
