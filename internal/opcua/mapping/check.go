package mapping

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/internal/registry"
)

// check holds a file against itself: names that stand twice, members that do not go together, and what will not do what its
// author thinks.
func (r *reader) check(f *File) {
	names := r.unique("server")
	for _, s := range f.Servers {
		r.checkServer(s)
		names(s.Name)
	}
}

// unique reports texts that stand twice. Empty ones do not count.
func (r *reader) unique(what string) func(Text) {
	seen := map[string]Text{}
	return func(t Text) {
		before, twice := seen[t.Value]
		switch {
		case t.Value == "":
		case twice:
			r.err(t.at, "a second %s %s; the first is in line %d", what, quoted(t.Value), before.at.line)
		default:
			seen[t.Value] = t
		}
	}
}

func (r *reader) checkServer(s *Server) {
	switch {
	case s.Name.Value == "":
		r.absent(s.at.member("name"), "is missing")
	case !isWord(s.Name.Value) || len(s.Name.Value) > registry.MaxLabel:
		r.err(s.Name.at, "%s does not consist of 1 to %d letters, digits, - and _", quoted(s.Name.Value), registry.MaxLabel)
	}
	r.checkURL(s)
	r.checkIdentity(s)
	if len(s.Devices) == 0 {
		r.absent(s.at.member("devices"), "there is none")
	}
	names := r.unique("device")
	for _, d := range s.Devices {
		r.checkDevice(d)
		if !d.template.uses("") {
			names(d.name)
		}
	}
}

func (r *reader) checkURL(s *Server) {
	if s.URL.Value == "" {
		r.absent(s.at.member("url"), "is missing")
		return
	}
	if err := ValidateURL(s.URL.Value); err != "" {
		r.err(s.URL.at, "%s %s", quoted(s.URL.Value), err)
	}
}

// ValidateURL says what is wrong with the URL of an endpoint; "" is nothing.
func ValidateURL(text string) string {
	if !strings.HasPrefix(text, "opc.tcp://") {
		return "does not begin with opc.tcp://"
	}
	u, err := url.Parse(text)
	if err != nil {
		return "is no URL"
	}
	port, err := strconv.Atoi(cmp.Or(u.Port(), "4840"))
	switch {
	case u.Hostname() == "":
		return "has no host"
	case err != nil || port < 1 || port > 65535:
		return "has no port between 1 and 65535"
	case u.User != nil:
		return "holds a user; write it under identity"
	default:
		return ""
	}
}

func (r *reader) checkIdentity(s *Server) {
	i := &s.Identity
	secure := s.Policy != "" && s.Policy != opcua.PolicyNone
	switch {
	case i.User == "" && i.PasswordFile != "":
		r.absent(i.at.member("user"), "is missing; there is a passwordFile")
	case i.User != "" && i.PasswordFile == "":
		r.absent(i.at.member("passwordFile"), "is missing; there is a user")
	case i.User != "" && (i.CertificateFile != "" || i.KeyFile != ""):
		r.err(i.at, "has both a user and a certificate")
	case i.CertificateFile == "" && i.KeyFile != "":
		r.absent(i.at.member("certificateFile"), "is missing; there is a keyFile")
	case i.CertificateFile != "" && i.KeyFile == "":
		r.absent(i.at.member("keyFile"), "is missing; there is a certificateFile")
	case i.User != "" && !secure && !r.wrong(s.at.member("security")):
		r.warn(i.at, "what is read and written goes in the clear, and anybody can pretend to be the server: give the server a security policy")
	}
}

func (r *reader) checkDevice(d *Device) {
	r.checkDeviceName(d)
	r.checkBeginning(d)
	if len(d.Channels)+len(d.Events)+len(d.Writes)+len(d.Calls) == 0 {
		r.err(d.at, "has neither channels nor events, writes or calls")
	}
	names := r.unique("channel")
	for _, c := range d.Channels {
		r.checkChannel(c)
		names(c.name)
	}
	for _, e := range d.Events {
		r.checkEvents(e)
	}
	r.checkCommands(d)
}

// checkBeginning reports a path that begins elsewhere than at the root, where every server has the same few nodes.
func (r *reader) checkBeginning(d *Device) {
	if len(d.node.path.segments) == 0 {
		return
	}
	first := &d.node.path.segments[0]
	known := []string{"Objects", "Types", "Views"}
	if !first.namespaced && first.text != "*" && !slices.Contains(known, first.name()) {
		r.warn(d.node.at, "begins at the root, where servers have Objects, Types and Views, but not %s%s", quoted(first.text),
			cmp.Or(hintNear(first.name(), known), ": write Objects/ before what is there"))
	}
}

func (r *reader) checkDeviceName(d *Device) {
	if d.name.Value == "" {
		if !d.node.id.IsZero() {
			r.err(d.at.member("name"), "is missing; only a path names devices")
		}
		return
	}
	var err error
	if d.template, err = parseTemplate(d.name.Value, matchPlaceholders(d.node.path.stars)...); err != nil {
		if !r.wrong(d.node.at) {
			r.err(d.name.at, "%v", err)
		}
		return
	}
	switch fixed := !d.template.uses(""); {
	case fixed && d.node.path.stars > 0:
		r.err(d.name.at, "all that %s matches would be this one device: write {name}, or {1} for what the first * stands for", quoted(d.node.path.text))
	case fixed:
		if err := registry.ValidateDeviceName(d.template.render(nil)); err != nil {
			r.err(d.name.at, "%v", err)
		}
	}
}

func (r *reader) checkChannel(c *Channel) {
	if c.name.Value == "" {
		r.absent(c.at.member("name"), "is missing")
		return
	}
	if len(c.Nodes) == 0 {
		r.absent(c.at.member("nodes"), "there is none")
		return
	}
	var err error
	if c.template, err = parseTemplate(c.name.Value, placeholderNode); err != nil {
		r.err(c.name.at, "%v", err)
		return
	}
	r.checkSharing(c)
	if err := event.ValidateSubject(c.template.render(func(string) string { return "x" })); err != nil {
		r.err(c.name.at, "%v", err)
	}
	names := r.unique("node")
	for _, n := range c.Nodes {
		r.checkNode(n)
		names(n.fixedName())
		r.checkTiming(c, n)
	}
}

// checkSharing reports nodes that would be the same channel, and could not be told apart.
func (r *reader) checkSharing(c *Channel) {
	several := len(c.Nodes) > 1 || c.Nodes[0].node.path.stars > 0
	switch named := c.template.uses(placeholderNode); {
	case c.Together && named:
		r.err(c.name.at, "{node} has no meaning here: all nodes are together in one event")
	case !c.Together && several && !named && !r.wrong(c.at.member("together")):
		r.err(c.name.at, "two nodes on one name: write {node} in it, such as %s, or together: true", quoted(c.name.Value+"/{node}"))
	}
}

// fixedName is the name of a node as far as the file knows it.
func (n *Node) fixedName() Text {
	switch {
	case n.name.Value != "" && n.node.path.stars == 0:
		return n.name
	case n.name.Value == "" && n.node.id.IsZero() && n.node.path.stars == 0 && len(n.node.path.segments) > 0:
		last := n.node.path.segments[len(n.node.path.segments)-1]
		return Text{last.name(), n.node.at}
	default:
		return Text{}
	}
}

func (r *reader) checkNode(n *Node) {
	r.checkName(&n.node, n.name)
	known := n.Type == "" || slices.Contains(typeNames, strings.TrimRight(n.Type, "[]"))
	if !known {
		r.err(n.at.member("type"), "%s is no built-in type of OPC UA%s; an array is written with [] behind it", quoted(n.Type), hint(n.Type, typeNames))
	}
	if n.deadband != nil && known && !numeric(n.Type) {
		r.err(n.at.member("deadband"), "only numbers have one, and the node is a %s", n.Type)
	}
}

// checkName checks the name of what a reference matches.
func (r *reader) checkName(to *reference, name Text) {
	switch {
	case name.Value == "" && !to.id.IsZero():
		r.err(to.at, "a node that is named by its id needs a name")
	case name.Value == "":
	default:
		t, err := parseTemplate(name.Value, matchPlaceholders(to.path.stars)...)
		if err != nil {
			r.err(name.at, "%v", err)
		} else if to.path.stars > 0 && !t.uses("") {
			r.err(name.at, "all that %s matches would have this one name: write {name}, or {1} for what the first * stands for", quoted(to.path.text))
		}
	}
}

// checkTiming reports queues that overflow by themselves.
func (r *reader) checkTiming(c *Channel, n *Node) {
	t := c.of(n)
	switch {
	case t.sampling == eachChange:
		return
	case t.sampling > t.publishing:
		r.warn(n.at, "is sampled every %s, but sent every %s", t.sampling, t.publishing)
		return
	}
	if samples := uint32((t.publishing + t.sampling - 1) / max(t.sampling, time.Millisecond)); samples > t.queue {
		r.warn(n.at, "up to %d values come in the %s between two sendings, but the queue holds %d: others are lost", samples, t.publishing, t.queue)
	}
}

// of is how a node of the channel is monitored.
func (c *Channel) of(n *Node) timing {
	t := c.timing
	if n.sampling != asPublished {
		t.sampling = n.sampling
	}
	if t.sampling == asPublished {
		t.sampling = t.publishing
	}
	if n.queue > 0 {
		t.queue = n.queue
	}
	return t
}

func (r *reader) checkEvents(e *Events) {
	if e.channel.Value == "" {
		r.absent(e.at.member("channel"), "is missing")
	} else if err := event.ValidateSubject(e.channel.Value); err != nil {
		r.err(e.channel.at, "%v", err)
	}
	for _, t := range e.types {
		ref, known := eventType(t.Value)
		if !known {
			r.err(t.at, "%s is neither an event type of OPC UA nor a node id%s", quoted(t.Value), hint(t.Value, eventTypeNames))
			continue
		}
		e.refs = append(e.refs, ref)
	}
	r.selectFields(e)
}

func (r *reader) checkCommands(d *Device) {
	writes, calls := r.unique("write"), r.unique("call")
	for _, w := range d.Writes {
		r.checkName(&w.node, w.name)
		writes(commandName(&w.node, w.name))
		r.checkCommandName(CommandWrite, w.name)
	}
	for _, c := range d.Calls {
		r.checkName(&c.node, c.name)
		calls(commandName(&c.node, c.name))
		r.checkCommandName(CommandCall, c.name)
		if c.node.path.text == "." {
			r.err(c.node.at, "the device itself is no method")
		}
		if !c.node.id.IsZero() {
			r.err(c.node.at, "a method needs the object that it is called on: write its path")
		}
	}
}

// commandName is the name of a command as far as the file knows it.
func commandName(to *reference, name Text) Text {
	if name.Value == "" && to.path.stars == 0 {
		return Text{to.path.text, to.at}
	}
	return name
}

// Prefixes of the names of commands.
const (
	CommandWrite = "write:"
	CommandCall  = "call:"
)

func (r *reader) checkCommandName(prefix string, name Text) {
	if name.Value == "" {
		return
	}
	if err := command.ValidateName(prefix + name.Value); err != nil {
		r.err(name.at, "%v", err)
	}
}

// typeNames are the built-in types of OPC UA (OPC 10000-6, 5.1.2).
var typeNames = []string{
	"Boolean", "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double", "String", "DateTime", "Guid",
	"ByteString", "XmlElement", "NodeId", "ExpandedNodeId", "StatusCode", "QualifiedName", "LocalizedText", "ExtensionObject", "DataValue",
	"Variant", "DiagnosticInfo",
}

// numeric tells whether values of a type have a deadband.
func numeric(name string) bool {
	switch strings.TrimRight(name, "[]") {
	case "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double", "Number", "Integer", "UInteger", "Variant", "":
		return true
	default:
		return false
	}
}
