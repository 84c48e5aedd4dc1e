package mapping

import (
	"fmt"
	"os"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/fairlead/fairlead/internal/opcua"
)

// Bounds of a mapping file.
const (
	MaxFile    = 1 << 20 // bytes
	maxServers = 64
	maxDevices = 1000 // patterns of a server
	maxList    = 10_000

	longestInterval = time.Hour
	maxQueue        = 10_000
)

// Defaults of what is monitored.
const (
	defaultPublishing = time.Second
	defaultQueue      = 100

	asPublished = -1 // sampling that is the same as publishing
	eachChange  = 0  // sampling that is left to the server
)

// A File is a mapping.
type File struct {
	Namespaces map[string]string // URIs by short name
	Servers    []*Server
}

// A Server is one OPC UA server.
type Server struct {
	Name     Text
	URL      Text
	Policy   opcua.Policy
	Mode     opcua.Mode
	Identity Identity
	Devices  []*Device

	timing timing
	at     place
}

// An Identity is who the gateway is at a server; empty is anonymous. The password is in a file, so that the mapping holds no
// secret.
type Identity struct {
	opcua.Identity
	at place
}

// timing is what a channel has from its server, unless it says something else.
type timing struct {
	publishing, sampling time.Duration
	queue                uint32
	discardNewest        bool
}

// A Device is one object that is a device, or all objects that a pattern matches.
type Device struct {
	node     reference
	name     Text
	Channels []*Channel
	Events   []*Events
	Writes   []*Write
	Calls    []*Call

	template template
	at       place
}

// A reference names nodes: one by its id, or those that a pattern matches.
type reference struct {
	id   opcua.NodeRef // zero: the path counts
	path Path
	at   place
}

// A Channel is what the values of nodes are published in.
type Channel struct {
	name     Text
	Together bool // all nodes in one event
	Nodes    []*Node

	timing   timing
	template template
	at       place
}

// A Node is a variable, or all variables that a pattern matches, below a device.
type Node struct {
	node     reference
	name     Text   // "" is the browse name
	Type     string // that is expected; "" is any
	Units    bool   // the event has the node's unit and range
	sampling time.Duration
	queue    uint32
	deadband *opcua.Deadband
	at       place
}

// Events are those of a notifier that are published as the device's.
type Events struct {
	channel  Text
	notifier reference
	from     []reference // sources of which events are taken; none is all
	types    []Text
	severity uint32
	fields   []Text
	refs     []opcua.NodeRef // of types
	selected []EventField
	timing   timing
	at       place
}

// A Write is a variable that a command may write.
type Write struct {
	node reference
	name Text
	at   place
}

// A Call is a method that a command may call.
type Call struct {
	node reference
	name Text
	at   place
}

// Load reads a mapping file. The file is nil if there is an error among the findings.
func Load(name string) (*File, Findings) {
	text, err := readBounded(name)
	if err != nil {
		return nil, Findings{{File: name, Severity: Error, Message: err.Error()}}
	}
	return Parse(name, text)
}

func readBounded(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if info.Size() > MaxFile {
		return nil, fmt.Errorf("is larger than %d bytes", MaxFile)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	return text, nil
}

// Parse reads a mapping; name is the file's in findings. The file is nil if there is an error among the findings.
func Parse(name string, text []byte) (*File, Findings) {
	r := &reader{report: report{file: name, meant: map[string]bool{}}}
	f := &File{Namespaces: map[string]string{}}
	if len(text) > MaxFile {
		r.err(place{}, "is larger than %d bytes", MaxFile)
	} else if root := r.document(text); root != nil {
		r.root(f, root)
		r.check(f)
	}
	findings := r.sorted()
	if findings.Err() != nil {
		return nil, findings
	}
	return f, findings
}

func (r *reader) root(f *File, n *yaml.Node) {
	r.namespaces = f.Namespaces
	// Namespaces first, wherever they stand: paths need them.
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "namespaces" {
				r.readNamespaces(f, n.Content[i+1], place{n.Content[i].Line, "namespaces"})
			}
		}
	}
	r.members(n, place{line: n.Line}, map[string]func(*yaml.Node, place){
		"namespaces": func(*yaml.Node, place) {},
		"servers": func(n *yaml.Node, at place) {
			r.list(n, at, maxServers, func(n *yaml.Node, at place) { f.Servers = append(f.Servers, r.server(n, at)) })
		},
	})
	if len(f.Servers) == 0 {
		if n.Kind == yaml.MappingNode {
			r.absent(place{line: n.Line, path: "servers"}, "there is none")
		}
	}
}

func (r *reader) readNamespaces(f *File, n *yaml.Node, at place) {
	if n.Kind != yaml.MappingNode {
		r.err(at, "is %s, but must be a mapping from short names to URIs", kindOf(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		short, within := n.Content[i].Value, place{n.Content[i].Line, at.path}.member(n.Content[i].Value)
		uri, ok := r.plain(n.Content[i+1], within, "the URI of a namespace")
		switch _, twice := f.Namespaces[short]; {
		case !ok:
		case twice:
			r.err(within, "stands twice")
		case !isWord(short):
			r.err(within, "a short name consists of letters, digits, - and _")
		case uri == "":
			r.err(within, "is empty")
		case uri == opcua.StandardNamespace:
			f.Namespaces[short] = ""
		default:
			f.Namespaces[short] = uri
		}
	}
}

func (r *reader) server(n *yaml.Node, at place) *Server {
	s := &Server{at: at, timing: timing{publishing: defaultPublishing, sampling: asPublished, queue: defaultQueue}}
	members := r.timing(&s.timing)
	members["name"] = r.name(&s.Name)
	members["url"] = r.name(&s.URL)
	members["security"] = func(n *yaml.Node, at place) { r.security(s, n, at) }
	members["identity"] = func(n *yaml.Node, at place) { r.identity(&s.Identity, n, at) }
	var devices *yaml.Node // after the timing, wherever that stands
	var devicesAt place
	members["devices"] = func(n *yaml.Node, at place) { devices, devicesAt = n, at }
	r.members(n, at, members)
	if devices != nil {
		r.list(devices, devicesAt, maxDevices, func(n *yaml.Node, at place) { s.Devices = append(s.Devices, r.device(n, at, s.timing)) })
	}
	return s
}

func (r *reader) timing(t *timing) map[string]func(*yaml.Node, place) {
	discard := discardOldest
	return map[string]func(*yaml.Node, place){
		"publishing": r.duration(&t.publishing, 10*time.Millisecond, longestInterval),
		"sampling":   r.duration(&t.sampling, eachChange, longestInterval),
		"queue":      r.count(&t.queue, 1, maxQueue),
		"discard": func(n *yaml.Node, at place) {
			choice(r, &discard, discardOldest, discardNewest)(n, at)
			t.discardNewest = discard == discardNewest
		},
	}
}

// What a server drops when a queue is full.
const (
	discardOldest = "oldest"
	discardNewest = "newest"
)

func (r *reader) security(s *Server, n *yaml.Node, at place) {
	r.members(n, at, map[string]func(*yaml.Node, place){
		"policy": choice(r, &s.Policy, opcua.PolicyNone, opcua.PolicyBasic256Sha256, opcua.PolicyAes128Sha256RsaOaep, opcua.PolicyAes256Sha256RsaPss),
		"mode":   choice(r, &s.Mode, opcua.ModeNone, opcua.ModeSign, opcua.ModeSignAndEncrypt),
	})
	switch none := s.Policy == "" || s.Policy == opcua.PolicyNone; {
	case r.wrong(at.member("policy")), r.wrong(at.member("mode")):
	case none && s.Mode != "" && s.Mode != opcua.ModeNone:
		r.err(at, "mode %s needs a policy, such as %s", s.Mode, opcua.PolicyBasic256Sha256)
	case !none && s.Mode == opcua.ModeNone:
		r.err(at, "policy %s needs mode %s or %s", s.Policy, opcua.ModeSign, opcua.ModeSignAndEncrypt)
	}
}

func (r *reader) identity(i *Identity, n *yaml.Node, at place) {
	i.at = at
	r.members(n, at, map[string]func(*yaml.Node, place){
		"user":            r.text(&i.User),
		"passwordFile":    r.text(&i.PasswordFile),
		"certificateFile": r.text(&i.CertificateFile),
		"keyFile":         r.text(&i.KeyFile),
	})
}

func (r *reader) device(n *yaml.Node, at place, t timing) *Device {
	d := &Device{at: at}
	members := r.reference(&d.node)
	members["name"] = r.name(&d.name)
	members["channels"] = each(r, &d.Channels, func(n *yaml.Node, at place) *Channel { return r.channel(n, at, t) })
	members["events"] = each(r, &d.Events, func(n *yaml.Node, at place) *Events { return r.events(n, at, t) })
	members["writes"] = each(r, &d.Writes, r.write)
	members["calls"] = each(r, &d.Calls, r.call)
	r.members(n, at, members)
	r.complete(&d.node, at)
	return d
}

// each reads a list into a slice.
func each[T any](r *reader, into *[]T, read func(*yaml.Node, place) T) func(*yaml.Node, place) {
	return func(n *yaml.Node, at place) {
		r.list(n, at, maxList, func(n *yaml.Node, at place) { *into = append(*into, read(n, at)) })
	}
}

// reference are the members that name nodes.
func (r *reader) reference(to *reference) map[string]func(*yaml.Node, place) {
	return map[string]func(*yaml.Node, place){
		"path": func(n *yaml.Node, at place) { r.path(to, n, at) },
		"id":   func(n *yaml.Node, at place) { r.id(to, n, at) },
	}
}

// path reads a browse path.
func (r *reader) path(to *reference, n *yaml.Node, at place) {
	at.line = n.Line
	text, ok := r.plain(n, at, "a browse path")
	if !ok {
		return
	}
	p, err := parsePath(text, r.namespaces)
	if err != nil {
		r.err(at, "%s: %v", quoted(text), err)
	}
	to.path, to.path.text, to.at = p, text, at
}

// id reads a node id.
func (r *reader) id(to *reference, n *yaml.Node, at place) {
	at.line = n.Line
	text, ok := r.plain(n, at, "a node id")
	if !ok {
		return
	}
	ref, err := opcua.ParseNodeRef(text)
	if err != nil {
		r.err(at, "%v", err)
	}
	to.id, to.at = ref, at
}

// complete reports a reference that names nothing, or two things.
func (r *reader) complete(to *reference, at place) {
	switch path := to.path.text != ""; {
	case to.at.path == "":
		if !r.meant[at.member("path").path] && !r.meant[at.member("id").path] {
			r.absent(at, "path or id is missing")
		}
		to.at = at
	case path && !to.id.IsZero():
		r.err(at, "has both path and id")
	}
}

// either reads what is a path alone, or a mapping with members.
func (r *reader) either(to *reference, n *yaml.Node, at place, members map[string]func(*yaml.Node, place)) {
	if n.Kind == yaml.ScalarNode {
		r.path(to, n, at)
		return
	}
	for name, read := range r.reference(to) {
		members[name] = read
	}
	r.members(n, at, members)
	r.complete(to, at)
}

func (r *reader) channel(n *yaml.Node, at place, t timing) *Channel {
	c := &Channel{at: at, timing: t}
	members := r.timing(&c.timing)
	members["name"] = r.name(&c.name)
	members["together"] = r.boolean(&c.Together)
	members["nodes"] = each(r, &c.Nodes, r.node)
	r.members(n, at, members)
	return c
}

func (r *reader) node(n *yaml.Node, at place) *Node {
	d := &Node{at: at, sampling: asPublished}
	r.either(&d.node, n, at, map[string]func(*yaml.Node, place){
		"name":     r.name(&d.name),
		"type":     r.text(&d.Type),
		"units":    r.boolean(&d.Units),
		"sampling": r.duration(&d.sampling, eachChange, longestInterval),
		"queue":    r.count(&d.queue, 1, maxQueue),
		"deadband": func(n *yaml.Node, at place) { d.deadband = r.deadband(n, at) },
	})
	return d
}

func (r *reader) deadband(n *yaml.Node, at place) *opcua.Deadband {
	absolute, percent := -1.0, -1.0
	const largest = 1e300
	r.members(n, at, map[string]func(*yaml.Node, place){
		"absolute": r.number(&absolute, largest),
		"percent":  r.number(&percent, 100),
	})
	switch {
	case absolute >= 0 && percent >= 0:
		r.err(at, "has both absolute and percent")
	case absolute >= 0:
		return &opcua.Deadband{Value: absolute}
	case percent >= 0:
		return &opcua.Deadband{Percent: true, Value: percent}
	default:
		r.absent(at, "absolute or percent is missing")
	}
	return nil
}

func (r *reader) events(n *yaml.Node, at place, t timing) *Events {
	e := &Events{at: at, timing: t}
	r.members(n, at, map[string]func(*yaml.Node, place){
		"channel":  r.name(&e.channel),
		"notifier": func(n *yaml.Node, at place) { r.either(&e.notifier, n, at, map[string]func(*yaml.Node, place){}) },
		"from": each(r, &e.from, func(n *yaml.Node, at place) (to reference) {
			r.either(&to, n, at, map[string]func(*yaml.Node, place){})
			return to
		}),
		"types":    each(r, &e.types, r.element),
		"severity": r.count(&e.severity, 1, 1000),
		"fields":   each(r, &e.fields, r.element),
	})
	if e.notifier.at.path == "" {
		e.notifier = reference{path: Path{text: "."}, at: at}
	}
	return e
}

// element reads a text in a list.
func (r *reader) element(n *yaml.Node, at place) (t Text) {
	r.name(&t)(n, at)
	return t
}

func (r *reader) write(n *yaml.Node, at place) *Write {
	w := &Write{at: at}
	r.either(&w.node, n, at, map[string]func(*yaml.Node, place){"name": r.name(&w.name)})
	return w
}

func (r *reader) call(n *yaml.Node, at place) *Call {
	c := &Call{at: at}
	r.either(&c.node, n, at, map[string]func(*yaml.Node, place){"name": r.name(&c.name)})
	return c
}

func isWord(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return text != ""
}
