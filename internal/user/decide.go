package user

import "slices"

// Everyone is the member that stands for everybody, anonymous callers included. Whatever its role, it gives Read and no
// more.
const Everyone = ""

// An Access says to whom an existing application belongs, as the store has it.
type Access struct {
	Application string          // name; "" is an application that does not exist
	Owner       string          // ID; "" belongs to nobody, and so to everybody who has signed in
	Members     map[string]Role // by ID, or Everyone
}

// Decide tells whether somebody may do something with an application:
//
//	                         Read  Write  Admin  Owner
//	no such application       no    no     no     no
//	beyond the token's scope  no    no     no     no
//	administrator             yes   yes    yes    yes
//	service                   yes   yes    no     no
//	owner                     yes   yes    yes    yes
//	application has no owner  yes   yes    yes    yes    everybody who has signed in
//	member, admin             yes   yes    yes    no
//	member, manager           yes   yes    no     no
//	member, reader            yes   no     no     no
//	Everyone is a member      yes   no     no     no     anonymous too
//	anybody else              no    no     no     no
func Decide(i *Identity, app Access, p Permission) bool {
	if app.Application == "" || p < Read || p > Owner {
		return false
	}
	if i != nil && !i.Scope.allows(app.Application, p) {
		return false
	}
	return p <= highest(i, app)
}

func (s Scope) allows(application string, p Permission) bool {
	if s.Permission != 0 && p > s.Permission {
		return false
	}
	return len(s.Applications) == 0 || slices.Contains(s.Applications, application)
}

// highest is the highest permission that somebody has, whatever the scope of the credential.
func highest(i *Identity, app Access) Permission {
	var best Permission
	if _, public := app.Members[Everyone]; public {
		best = Read
	}
	if i.Anonymous() {
		return best
	}
	if i.Admin || app.Owner == i.ID || app.Owner == "" {
		return Owner
	}
	if i.Service {
		best = max(best, Write)
	}
	return max(best, app.Members[i.ID].permission())
}

// MayCreate tells whether somebody may create applications.
func (i *Identity) MayCreate() bool { return !i.Anonymous() && !i.Scope.Narrow() }
