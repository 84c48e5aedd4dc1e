package cloud

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const registryBase = "/api/registry/v1alpha1"

// A Path names an application or a device in the API.
type Path string

// ApplicationPath is that of an application.
func ApplicationPath(application string) Path {
	return Path(registryBase + "/apps/" + url.PathEscape(application))
}

// DevicePath is that of a device.
func DevicePath(application, device string) Path {
	return ApplicationPath(application) + "/devices/" + Path(url.PathEscape(device))
}

// A Selection narrows a list.
type Selection struct {
	Labels        string // a selector, such as "room=attic,!old"
	Limit, Offset int    // no limit is everything
}

func (s Selection) query() string {
	values := url.Values{}
	if s.Labels != "" {
		values.Set("labels", s.Labels)
	}
	if s.Limit > 0 {
		values.Set("limit", strconv.Itoa(s.Limit))
	}
	if s.Offset > 0 {
		values.Set("offset", strconv.Itoa(s.Offset))
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// Applications calls a function with each application that the user may read, in the order of their names.
func (c *Client) Applications(ctx context.Context, s Selection, each func(json.RawMessage) error) error {
	return c.list(ctx, registryBase+"/apps"+s.query(), each)
}

// Devices calls a function with each device of an application, in the order of their names.
func (c *Client) Devices(ctx context.Context, application string, s Selection, each func(json.RawMessage) error) error {
	return c.list(ctx, string(ApplicationPath(application))+"/devices"+s.query(), each)
}

// Get reads a resource.
func (c *Client) Get(ctx context.Context, path Path, into any) error {
	return c.call(ctx, http.MethodGet, string(path), nil, into)
}

// CreateApplication makes an application.
func (c *Client) CreateApplication(ctx context.Context, document any) error {
	return c.call(ctx, http.MethodPost, registryBase+"/apps", document, nil)
}

// CreateDevice makes a device of an application.
func (c *Client) CreateDevice(ctx context.Context, application string, document any) error {
	return c.call(ctx, http.MethodPost, string(ApplicationPath(application))+"/devices", document, nil)
}

// Replace writes a resource. If its metadata has a resourceVersion, nobody may have written since.
func (c *Client) Replace(ctx context.Context, path Path, document any) error {
	return c.call(ctx, http.MethodPut, string(path), document, nil)
}

// A PossessionCode is what the key of a trust anchor has to sign.
type PossessionCode struct {
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
}

func anchorPath(application, fingerprint, what string) string {
	return string(ApplicationPath(application)) + "/trust-anchors/" + url.PathEscape(fingerprint) + "/" + what
}

// PossessionCode asks for a code for the trust anchor with a fingerprint.
func (c *Client) PossessionCode(ctx context.Context, application, fingerprint string) (code PossessionCode, err error) {
	err = c.call(ctx, http.MethodGet, anchorPath(application, fingerprint, "code"), nil, &code)
	return code, err
}

// ProveAnchor hands over a certificate, in DER, that the key of a trust anchor has signed, and whose common name is the code.
func (c *Client) ProveAnchor(ctx context.Context, application, fingerprint string, certificate []byte) error {
	body := map[string][]byte{"certificate": certificate}
	return c.call(ctx, http.MethodPut, anchorPath(application, fingerprint, "proof"), body, nil)
}

// Delete removes a resource, or has it removed once its finalizers are gone.
func (c *Client) Delete(ctx context.Context, path Path) error {
	return c.call(ctx, http.MethodDelete, string(path), nil, nil)
}
