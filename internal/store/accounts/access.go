package accounts

import (
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// Access is what the store knows of who may use an application, in the words of internal/user.
func Access(t *store.Tenant) user.Access {
	members := make(map[string]user.Role, len(t.Members))
	for id, role := range t.Members {
		members[id] = user.Role(role)
	}
	return user.Access{Application: t.Application, Owner: t.Owner, Members: members}
}
