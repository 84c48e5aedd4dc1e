package cloud

import (
	"context"
	"net/http"
	"net/url"
)

const adminBase = "/api/admin/v1alpha1"

// Members are who else may use an application, by the names of the users; "" is everybody.
type Members struct {
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Members         map[string]Member `json:"members"`
}

// A Member has a role: reader, manager or admin.
type Member struct {
	Role string `json:"role"`
}

func adminPath(application, what string) string {
	return adminBase + "/apps/" + url.PathEscape(application) + "/" + what
}

// Members reads the members of an application.
func (c *Client) Members(ctx context.Context, application string) (*Members, error) {
	m := &Members{}
	err := c.call(ctx, http.MethodGet, adminPath(application, "members"), nil, m)
	if m.Members == nil {
		m.Members = map[string]Member{}
	}
	return m, err
}

// SetMembers replaces the members of an application. If there is a resourceVersion, nobody may have written since.
func (c *Client) SetMembers(ctx context.Context, application string, m *Members) error {
	return c.call(ctx, http.MethodPut, adminPath(application, "members"), m, nil)
}

// newOwner is the document of an offer.
type newOwner struct {
	NewUser string `json:"newUser"`
}

// Transfer offers an application to another user.
func (c *Client) Transfer(ctx context.Context, application, user string) error {
	return c.call(ctx, http.MethodPut, adminPath(application, "transfer-ownership"), newOwner{user}, nil)
}

// TransferredTo tells to whom an application is offered; "" is nobody.
func (c *Client) TransferredTo(ctx context.Context, application string) (string, error) {
	var offer newOwner
	err := c.call(ctx, http.MethodGet, adminPath(application, "transfer-ownership"), nil, &offer)
	return offer.NewUser, err
}

// CancelTransfer takes an offer back, or turns it down.
func (c *Client) CancelTransfer(ctx context.Context, application string) error {
	return c.call(ctx, http.MethodDelete, adminPath(application, "transfer-ownership"), nil, nil)
}

// AcceptTransfer takes an application that is offered.
func (c *Client) AcceptTransfer(ctx context.Context, application string) error {
	return c.call(ctx, http.MethodPut, adminPath(application, "accept-ownership"), nil, nil)
}

// A User is who is logged in. Both are "" for nobody.
type User struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// WhoAmI asks the API who the user is.
func (c *Client) WhoAmI(ctx context.Context) (u User, err error) {
	err = c.call(ctx, http.MethodGet, adminBase+"/user/whoami", nil, &u)
	return u, err
}
