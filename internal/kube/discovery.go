package kube

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// forgetKinds is how long it is remembered which kinds there are. A kind that is missing is looked for each time.
const forgetKinds = 10 * time.Minute

// kinds remember where the objects of each kind are.
type kinds struct {
	mu    sync.Mutex
	known map[Kind]resource
	since time.Time
}

// A resource is how a kind is called in paths.
type resource struct {
	Name       string `json:"name"` // the plural; with a slash for parts such as status
	Kind       string `json:"kind"`
	Namespaced bool   `json:"namespaced"`
}

// path is that of an object, or, without a name, of all of a kind.
func (c *Client) path(ctx context.Context, k Kind, name string) (string, error) {
	r, err := c.resource(ctx, k)
	if err != nil {
		return "", err
	}
	path := group(k.APIVersion)
	if r.Namespaced {
		path += "/namespaces/" + c.namespace
	}
	path += "/" + r.Name
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return path, nil
}

// group is the path of an API version.
func group(apiVersion string) string {
	if strings.Contains(apiVersion, "/") {
		return "/apis/" + apiVersion
	}
	return "/api/" + apiVersion
}

func (c *Client) resource(ctx context.Context, k Kind) (resource, error) {
	if r, ok := c.kinds.find(k); ok {
		return r, nil
	}
	var list struct {
		Resources []resource `json:"resources"`
	}
	if err := c.do(ctx, request{method: http.MethodGet, path: group(k.APIVersion)}, &list); err != nil && !NotFound(err) {
		return resource{}, fmt.Errorf("looking for the kind %s: %w", k.Kind, err)
	}
	for _, r := range list.Resources {
		if !strings.Contains(r.Name, "/") {
			c.kinds.remember(Kind{k.APIVersion, r.Kind}, r)
		}
	}
	if r, ok := c.kinds.find(k); ok {
		return r, nil
	}
	return resource{}, fmt.Errorf("the kind %s of %s %w", k.Kind, k.APIVersion, ErrNoKind)
}

func (n *kinds) find(k Kind) (resource, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.since) > forgetKinds {
		n.known, n.since = map[Kind]resource{}, time.Now()
	}
	r, ok := n.known[k]
	return r, ok
}

func (n *kinds) remember(k Kind, r resource) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[k] = r
}
