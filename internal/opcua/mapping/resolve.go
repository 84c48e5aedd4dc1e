package mapping

import (
	"context"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/internal/registry"
)

// Resolve finds the nodes of a server's part of a file. What is not there, or is not what the file takes it for, is a finding,
// and is not in the plan. The error is the Space's.
func Resolve(ctx context.Context, file string, s *Server, space Space) (*Plan, Findings, error) {
	r := &resolver{
		report: report{file: file},
		finder: finder{space: space, nodes: map[opcua.NodeRef]*opcua.TreeNode{}},
		plan:   &Plan{}, named: map[string]string{}, missed: map[place]*missed{}, notifiers: map[string]*EventPlan{},
	}
	from, err := r.finder.start(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range s.Devices {
		if err := r.devices(ctx, from, d); err != nil {
			return nil, nil, err
		}
	}
	r.tellMissed()
	return r.plan, r.sorted(), nil
}

// A resolver makes a plan.
type resolver struct {
	report
	finder    finder
	plan      *Plan
	named     map[string]string     // browse paths of devices by name
	missed    map[place]*missed     // by place in the file
	notifiers map[string]*EventPlan // by what is monitored
}

// A missed node is missing in some devices of a pattern.
type missed struct {
	message string
	device  string // the first
	more    int
}

// miss notes that something is not there for a device. What is missing in many devices is told once.
func (r *resolver) miss(at place, device, message string) {
	if m := r.missed[at]; m != nil {
		m.more++
		return
	}
	r.missed[at] = &missed{message: message, device: device}
}

func (r *resolver) tellMissed() {
	for at, m := range r.missed {
		switch {
		case m.device == "":
			r.err(at, "%s", m.message)
		case m.more == 0:
			r.err(at, "device %s: %s", m.device, m.message)
		default:
			r.err(at, "device %s: %s; %d more devices have the like", m.device, m.message, m.more)
		}
	}
}

// devices makes a device of each node that matches.
func (r *resolver) devices(ctx context.Context, from match, d *Device) error {
	found, missing, err := r.finder.find(ctx, from, &d.node)
	if err != nil {
		return err
	}
	if missing != "" {
		r.miss(d.node.at, "", missing)
	}
	for _, m := range found {
		name := d.nameOf(&m)
		if err := registry.ValidateDeviceName(name); err != nil {
			r.err(d.node.at, "%s: %v", m.path(), err)
			continue
		}
		if before, twice := r.named[name]; twice {
			r.err(d.node.at, "%s and %s are both named %s", before, m.path(), quoted(name))
			continue
		}
		r.named[name] = m.path()
		if err := r.device(ctx, &m, d, name); err != nil {
			return err
		}
	}
	return nil
}

// nameOf is the name of the device that a node is: what the file says, or what the stars of the pattern matched.
func (d *Device) nameOf(m *match) string {
	switch {
	case d.name.Value != "":
		return d.template.render(m.value)
	case len(m.wild) > 0:
		return strings.Join(m.wild, "-")
	default:
		return m.value(placeholderName)
	}
}

func (r *resolver) device(ctx context.Context, m *match, d *Device, name string) error {
	p := &DevicePlan{Name: name, Object: m.node.Ref, Writes: map[string]opcua.NodeRef{}, Calls: map[string]Method{}}
	r.plan.Devices = append(r.plan.Devices, p)
	taken := map[string]bool{}
	for _, c := range d.Channels {
		if err := r.channel(ctx, m, p, c, taken); err != nil {
			return err
		}
	}
	for _, e := range d.Events {
		if err := r.events(ctx, m, p, e); err != nil {
			return err
		}
	}
	for _, w := range d.Writes {
		if err := r.write(ctx, m, p, w); err != nil {
			return err
		}
	}
	for _, c := range d.Calls {
		if err := r.call(ctx, m, p, c); err != nil {
			return err
		}
	}
	return nil
}

// channel plans the nodes of a channel. Taken are the channels that the device has.
func (r *resolver) channel(ctx context.Context, m *match, p *DevicePlan, c *Channel, taken map[string]bool) error {
	together := &ChannelPlan{Device: p, Name: c.name.Value, Together: true}
	names := map[string]bool{}
	for _, n := range c.Nodes {
		found, missing, err := r.finder.find(ctx, *m, &n.node)
		if err != nil {
			return err
		}
		if missing != "" {
			r.miss(n.node.at, p.Name, missing)
		}
		for _, v := range found {
			name := nameOf(n.name, n.node.path.stars, &v, v.value(placeholderName))
			if names[name] {
				r.miss(n.node.at, p.Name, fmt.Sprintf("two nodes on one name: %s is in the channel already", quoted(name)))
				continue
			}
			names[name] = true
			in := together
			if !c.Together {
				in = &ChannelPlan{Device: p, Name: c.template.render(func(string) string { return name })}
				if taken[in.Name] {
					r.miss(n.node.at, p.Name, fmt.Sprintf("two nodes on one name: another one is in the channel %s", quoted(in.Name)))
					continue
				}
			}
			taken[in.Name] = true
			if err := r.value(ctx, &v, c, n, &ValuePlan{Channel: in, Node: name, at: n.node.at, where: v.path()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// nameOf is what the file says, or else the given name.
func nameOf(name Text, stars int, m *match, otherwise string) string {
	if name.Value == "" {
		return otherwise
	}
	t, err := parseTemplate(name.Value, matchPlaceholders(stars)...)
	if err != nil {
		return otherwise // which check has reported
	}
	return t.render(m.value)
}

// value plans a variable, if it is what the file takes it for.
func (r *resolver) value(ctx context.Context, m *match, c *Channel, n *Node, v *ValuePlan) error {
	device := v.Channel.Device.Name
	if problem := unfit(m, n); problem != "" {
		r.miss(n.node.at, device, m.path()+" "+problem)
		return nil
	}
	if err := event.ValidateSubject(v.Channel.Name); err != nil {
		r.miss(n.node.at, device, fmt.Sprintf("%s: %v", m.path(), err))
		return nil
	}
	if n.Units || n.deadband != nil && n.deadband.Percent {
		full, err := r.finder.browse(ctx, m.node.Ref)
		if err != nil {
			return err
		}
		r.properties(full, n, v)
	}
	t := c.of(n)
	r.plan.Items = append(r.plan.Items, opcua.Item{
		Node: m.node.Ref, Publishing: t.publishing, Sampling: t.sampling, Queue: t.queue, DiscardOldest: !t.discardNewest,
		Deadband: n.deadband, Key: v,
	})
	return nil
}

// unfit says why a node is not what the file takes it for; "" if it is.
func unfit(m *match, n *Node) string {
	switch kind := m.node.DataType; {
	case m.node.Class != opcua.ClassVariable:
		return fmt.Sprintf("has no value: it is of class %s", m.node.Class)
	case n.Type != "" && kind != "" && n.Type != kind:
		return fmt.Sprintf("is of type %s, not %s", kind, n.Type)
	case n.deadband != nil && !numeric(kind):
		return fmt.Sprintf("is of type %s, and only numbers have a deadband", kind)
	default:
		return ""
	}
}

// properties finds the range and the unit of a node.
func (r *resolver) properties(full *opcua.TreeNode, n *Node, v *ValuePlan) {
	var span opcua.NodeRef
	if full != nil {
		for _, c := range full.Children {
			switch c.BrowseName {
			case opcua.QualifiedName{Name: "EURange"}:
				span = c.Ref
			case opcua.QualifiedName{Name: "EngineeringUnits"}:
				v.Units = c.Ref
			}
		}
	}
	device := v.Channel.Device.Name
	if span.IsZero() && n.deadband != nil && n.deadband.Percent {
		r.miss(n.node.at, device, v.where+" has no EURange, of which a deadband could be a percentage")
	}
	if !n.Units {
		v.Units = opcua.NodeRef{}
		return
	}
	if v.Range = span; span.IsZero() && v.Units.IsZero() {
		r.miss(n.node.at, device, v.where+" has neither EURange nor EngineeringUnits")
	}
}

// events plans a notifier, which several devices may share.
func (r *resolver) events(ctx context.Context, m *match, p *DevicePlan, e *Events) error {
	found, missing, err := r.finder.find(ctx, *m, &e.notifier)
	if err != nil {
		return err
	}
	if missing != "" {
		r.miss(e.notifier.at, p.Name, missing)
	}
	target := EventTarget{Device: p, Channel: e.channel.Value}
	if target.From, err = r.sources(ctx, m, p, e); err != nil {
		return err
	}
	for _, n := range found {
		if n.node.Class != opcua.ClassObject && n.node.Class != opcua.ClassView {
			r.miss(e.notifier.at, p.Name, fmt.Sprintf("%s is a %s, which has no events", n.path(), n.node.Class))
			continue
		}
		r.notifier(n.node.Ref, e, target)
	}
	return nil
}

// sources are the nodes that events are taken from; nil is all.
func (r *resolver) sources(ctx context.Context, m *match, p *DevicePlan, e *Events) (map[opcua.NodeRef]bool, error) {
	if len(e.from) == 0 {
		return nil, nil
	}
	from := map[opcua.NodeRef]bool{}
	for i := range e.from {
		found, missing, err := r.finder.find(ctx, *m, &e.from[i])
		if err != nil {
			return nil, err
		}
		if missing != "" {
			r.miss(e.from[i].at, p.Name, missing)
		}
		for _, n := range found {
			from[n.node.Ref] = true
		}
	}
	return from, nil
}

// notifier adds a target to a notifier that is monitored in the same way, or to a new one.
func (r *resolver) notifier(ref opcua.NodeRef, e *Events, target EventTarget) {
	filter := &opcua.EventFilter{Types: e.refs, MinSeverity: uint16(e.severity)}
	for _, f := range e.selected {
		filter.Fields = append(filter.Fields, f.Field)
	}
	key := fmt.Sprintf("%s %v %s", ref, *filter, e.timing.publishing)
	plan := r.notifiers[key]
	if plan == nil {
		plan = &EventPlan{Fields: e.selected}
		r.notifiers[key] = plan
		r.plan.Items = append(r.plan.Items, opcua.Item{
			Node: ref, Publishing: e.timing.publishing, Queue: e.timing.queue, DiscardOldest: !e.timing.discardNewest, Event: filter, Key: plan,
		})
	}
	plan.Targets = append(plan.Targets, target)
}

func (r *resolver) write(ctx context.Context, m *match, p *DevicePlan, w *Write) error {
	return r.commands(ctx, m, p, &w.node, w.name, CommandWrite, opcua.ClassVariable, func(name string, found *match) (taken bool) {
		if _, taken = p.Writes[name]; !taken {
			p.Writes[name] = found.node.Ref
		}
		return taken
	})
}

func (r *resolver) call(ctx context.Context, m *match, p *DevicePlan, c *Call) error {
	return r.commands(ctx, m, p, &c.node, c.name, CommandCall, opcua.ClassMethod, func(name string, found *match) (taken bool) {
		if _, taken = p.Calls[name]; !taken {
			p.Calls[name] = Method{Object: found.parent, Method: found.node.Ref}
		}
		return taken
	})
}

// commands allows what a reference names, by the browse path below the device unless the file says a name.
func (r *resolver) commands(ctx context.Context, m *match, p *DevicePlan, to *reference, name Text, prefix string, class opcua.NodeClass, allow func(string, *match) bool) error {
	found, missing, err := r.finder.find(ctx, *m, to)
	if err != nil {
		return err
	}
	if missing != "" {
		r.miss(to.at, p.Name, missing)
	}
	for _, n := range found {
		called := nameOf(name, to.path.stars, &n, n.path())
		if n.node.Class != class {
			r.miss(to.at, p.Name, fmt.Sprintf("%s is of class %s, not %s", n.path(), n.node.Class, class))
			continue
		}
		if err := command.ValidateName(prefix + called); err != nil {
			r.miss(to.at, p.Name, fmt.Sprintf("%s: %v: give it a name", n.path(), err))
			continue
		}
		if allow(called, &n) {
			r.miss(to.at, p.Name, fmt.Sprintf("two nodes on one name: %s is another node already", quoted(prefix+called)))
		}
	}
	return nil
}
