package accounts

import (
	"context"
	"errors"

	"github.com/fairlead/fairlead/internal/registry"
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

// Access says to whom an application belongs; the zero value is one that does not exist.
func (a *Accounts) Access(ctx context.Context, application string) (user.Access, error) {
	t, err := a.store.Tenant(ctx, application)
	if errors.Is(err, registry.ErrNotFound) {
		return user.Access{}, nil
	}
	if err != nil {
		return user.Access{}, err
	}
	return Access(t), nil
}
