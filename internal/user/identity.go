package user

import "time"

// An Identity is who a request comes from. It is shared between requests and never changed. The zero value is anonymous.
type Identity struct {
	// ID never changes for a user: the subject at the OpenID provider, after the prefix that the provider is configured
	// with. "" is anonymous. Owners and members are kept by ID.
	ID string
	// Name is what people call the user, unique in a Directory; the ID where the provider gives none. It may change.
	Name string
	// Roles are those that the provider tells, as it tells them. An access token has none.
	Roles []string
	// Admin is an administrator of the instance: everything that exists is open to them. An access token never is.
	Admin bool
	// Service is a part of Fairlead itself: it reads and writes everything, status included.
	Service bool
	// Scope narrows what this credential may be used for, below what its user may do.
	Scope Scope
	// ByAccessToken says that the credential is an access token of ours.
	ByAccessToken bool
	// Until is when the credential expires; zero is never. What lives longer than a request, a stream for example, ends
	// then.
	Until time.Time
}

// Anonymous tells whether nobody has signed in.
func (i *Identity) Anonymous() bool { return i == nil || i.ID == "" }

// A Scope narrows a credential. The zero value narrows nothing.
type Scope struct {
	Applications []string   `json:"applications,omitempty"` // names; empty is every application
	Permission   Permission `json:"permission,omitzero"`    // the highest one; none is Owner
}

// Narrow tells whether the scope leaves anything out. Who has a narrow scope creates no applications and no tokens.
func (s Scope) Narrow() bool {
	return len(s.Applications) > 0 || (s.Permission != 0 && s.Permission != Owner)
}
