package opcua

import (
	"fmt"

	"github.com/fairlead/fairlead/internal/opcua/binary"
)

// An object is a structure whose fields are known.
type object struct {
	of      *structure
	members []member
}

// A member is one field of an object. A structure within it is an *object, several are a []*object, instead of ExtensionObjects.
type member struct {
	name  string
	value binary.Variant
}

// open reads a structure by its form; nil if that is not known or does not fit.
func (s *space) open(e binary.ExtensionObject) *object {
	form := s.structure(e.Type)
	if form == nil || e.Encoding != binary.BodyBinary {
		return nil
	}
	const factor, base = 16, 1 << 16 // what it may take in memory, for its length
	r := binary.NewReader(e.Body, factor*len(e.Body)+base)
	o := form.read(r)
	if r.Err() != nil {
		return nil
	}
	return o
}

// read reads the fields of a structure.
func (s *structure) read(r *binary.Reader) *object {
	o := &object{of: s}
	const size, sizeOfMember = 64, 80 // bytes, about
	if !r.Enter() || !r.Charge(size+sizeOfMember*len(s.fields)) {
		return o
	}
	defer r.Leave()
	switch s.kind {
	case kindUnion, kindUnionOf:
		if chosen := r.Uint32(); chosen > 0 && int(chosen) <= len(s.fields) {
			o.add(r, &s.fields[chosen-1])
		}
		return o
	}
	var present uint32
	if s.kind == kindOptional {
		present = r.Uint32()
	}
	bit := uint32(1)
	for i := range s.fields {
		if f := &s.fields[i]; f.optional {
			there := present&bit != 0
			bit <<= 1
			if !there {
				continue
			}
		}
		if r.Err() != nil {
			break
		}
		o.add(r, &s.fields[i])
	}
	return o
}

func (o *object) add(r *binary.Reader, f *field) {
	o.members = append(o.members, member{f.name, f.read(r)})
}

// nested is the form of the structures that stand in a field without saying of what type they are; nil if there are none.
func (f *field) nested() *structure {
	if f.subtypes {
		return nil
	}
	return f.typ.structure
}

// read reads the value of a field.
func (f *field) read(r *binary.Reader) binary.Variant {
	form := f.nested()
	switch {
	case f.typ.unknown && !f.subtypes:
		r.Malformed("a field is of a type whose form is not known")
		return binary.Variant{}
	case form == nil && f.rank < 1:
		return r.ReadValue(f.typ.builtin)
	case form == nil:
		return r.ReadArray(f.typ.builtin, int(f.rank))
	case f.rank < 1:
		return binary.Variant{Type: binary.TypeExtensionObject, Value: form.read(r)}
	}
	v := binary.Variant{Type: binary.TypeExtensionObject, Array: true}
	count := 0
	if v.Dims, count = r.Shape(int(f.rank)); count < 0 {
		return v
	}
	objects := make([]*object, 0, min(count, len(r.Rest())))
	for range count {
		if r.Err() != nil {
			return v
		}
		objects = append(objects, form.read(r))
	}
	v.Value = objects
	return v
}

// write writes an object as the body of an ExtensionObject.
func (o *object) write(w *binary.Writer) error {
	given := map[string]binary.Variant{}
	for _, m := range o.members {
		given[m.name] = m.value
	}
	switch o.of.kind {
	case kindUnion, kindUnionOf:
		return o.writeUnion(w, given)
	case kindOptional:
		var present, bit uint32 = 0, 1
		for _, f := range o.of.fields {
			if !f.optional {
				continue
			}
			if _, there := given[f.name]; there {
				present |= bit
			}
			bit <<= 1
		}
		w.Uint32(present)
	}
	for i := range o.of.fields {
		f := &o.of.fields[i]
		v, there := given[f.name]
		if !there && f.optional {
			continue
		}
		if err := f.write(w, v); err != nil {
			return err
		}
	}
	return nil
}

func (o *object) writeUnion(w *binary.Writer, given map[string]binary.Variant) error {
	if len(given) > 1 {
		return &ValueError{Reason: "of the fields of a union only one can be there"}
	}
	for i := range o.of.fields {
		f := &o.of.fields[i]
		if v, there := given[f.name]; there {
			w.Uint32(uint32(i + 1))
			return f.write(w, v)
		}
	}
	w.Uint32(0)
	return nil
}

// write writes the value of a field. One that is not there is an error, since nobody knows what it would be.
func (f *field) write(w *binary.Writer, v binary.Variant) error {
	switch x := v.Value.(type) {
	case *object:
		return x.write(w)
	case []*object:
		w.Shape(len(x), v.Dims)
		for _, o := range x {
			if err := o.write(w); err != nil {
				return err
			}
		}
		return nil
	}
	if v.Type == binary.TypeNull && f.typ.builtin != binary.TypeVariant {
		return &ValueError{Path: "." + f.name, Reason: "is missing"}
	}
	if f.typ.builtin == binary.TypeVariant && f.rank < 1 {
		w.Variant(v)
		return nil
	}
	if v.Type != f.typ.builtin {
		return &ValueError{Path: "." + f.name, Reason: fmt.Sprintf("is a %s, not a %s", v.Type, f.typ.builtin)}
	}
	w.WriteValue(v)
	return nil
}
