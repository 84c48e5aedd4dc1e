package auth

// members are the registrations under one name. Most names have one, for which there is no map: there is a name for each
// connected device.
type members struct {
	one  *registration
	more map[*registration]struct{} // nil while one is enough
}

// with has one more member.
func (m members) with(r *registration) members {
	switch {
	case m.more != nil:
		m.more[r] = struct{}{}
	case m.one == nil || m.one == r:
		m.one = r
	default:
		m = members{more: map[*registration]struct{}{m.one: {}, r: {}}}
	}
	return m
}

// without has one member less.
func (m members) without(r *registration) members {
	if m.more != nil {
		delete(m.more, r)
	} else if m.one == r {
		m.one = nil
	}
	return m
}

func (m members) none() bool { return m.one == nil && len(m.more) == 0 }

// all yields every member.
func (m members) all(yield func(*registration) bool) {
	if m.one != nil && !yield(m.one) {
		return
	}
	for r := range m.more {
		if !yield(r) {
			return
		}
	}
}
