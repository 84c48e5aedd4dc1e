package registryfn

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A route is an operation of the API.
type route struct {
	method    string
	path      string // a segment in braces is a parameter
	operation string // name in metrics and in openapi.yaml
	open      bool   // no caller is asked for
	list      bool   // the answer may take long
	run       func(*Handler, *call) error
}

// Bases of the parts of the API.
const (
	registryBase = "/api/registry/v1alpha1"
	adminBase    = "/api/admin/v1alpha1"
	tokensBase   = "/api/tokens/v1alpha1"
)

// routes is the table of operations.
func routes() []route {
	const (
		apps     = registryBase + "/apps"
		app      = apps + "/{application}"
		anchor   = app + "/trust-anchors/{fingerprint}"
		devices  = app + "/devices"
		device   = devices + "/{device}"
		admin    = adminBase + "/apps/{application}"
		transfer = admin + "/transfer-ownership"
	)
	return []route{
		{method: "GET", path: apps, operation: "listApplications", list: true, run: (*Handler).listApplications},
		{method: "POST", path: apps, operation: "createApplication", run: (*Handler).createApplication},
		{method: "GET", path: app, operation: "getApplication", run: (*Handler).getApplication},
		{method: "PUT", path: app, operation: "replaceApplication", run: applicationKind.replace},
		{method: "PATCH", path: app, operation: "patchApplication", run: applicationKind.patch},
		{method: "DELETE", path: app, operation: "deleteApplication", run: applicationKind.delete},
		{method: "GET", path: anchor + "/code", operation: "getPossessionCode", run: (*Handler).possessionCode},
		{method: "PUT", path: anchor + "/proof", operation: "proveTrustAnchor", run: (*Handler).proveAnchor},
		{method: "POST", path: app + "/registrations", operation: "registerDevice", open: true, run: (*Handler).register},
		{method: "GET", path: devices, operation: "listDevices", list: true, run: (*Handler).listDevices},
		{method: "POST", path: devices, operation: "createDevice", run: (*Handler).createDevice},
		{method: "GET", path: device, operation: "getDevice", run: (*Handler).getDevice},
		{method: "PUT", path: device, operation: "replaceDevice", run: deviceKind.replace},
		{method: "PATCH", path: device, operation: "patchDevice", run: deviceKind.patch},
		{method: "DELETE", path: device, operation: "deleteDevice", run: deviceKind.delete},

		{method: "GET", path: admin + "/members", operation: "getMembers", run: (*Handler).getMembers},
		{method: "PUT", path: admin + "/members", operation: "setMembers", run: (*Handler).setMembers},
		{method: "GET", path: transfer, operation: "getTransfer", run: (*Handler).getTransfer},
		{method: "PUT", path: transfer, operation: "offerApplication", run: (*Handler).offerApplication},
		{method: "DELETE", path: transfer, operation: "cancelTransfer", run: (*Handler).cancelTransfer},
		{method: "PUT", path: admin + "/accept-ownership", operation: "acceptApplication", run: (*Handler).acceptApplication},
		{method: "GET", path: adminBase + "/user/whoami", operation: "whoAmI", run: (*Handler).whoAmI},

		{method: "GET", path: tokensBase, operation: "listTokens", run: (*Handler).listTokens},
		{method: "POST", path: tokensBase, operation: "createToken", run: (*Handler).createToken},
		{method: "DELETE", path: tokensBase + "/{prefix}", operation: "deleteToken", run: (*Handler).deleteToken},

		{method: "POST", path: "/ping", operation: "ping", open: true, run: (*Handler).ping},

		{method: "GET", path: "/.well-known/drogue-endpoints", operation: "getEndpoints", open: true, run: (*Handler).discover},
		{method: "GET", path: "/.well-known/drogue-version", operation: "getVersion", open: true, run: (*Handler).version},
		{method: "GET", path: "/api/console/v1alpha1/info", operation: "getInformation", run: (*Handler).information},
		{method: "GET", path: "/api/openapi.yaml", operation: "getDescription", open: true, run: (*Handler).describe},
	}
}

// A router finds routes. Names in a path may hold anything, an escaped slash or dots too, so that a path is taken apart
// before it is decoded, and never cleaned.
type router []routeOf

// A routeOf is a route with its path in segments.
type routeOf struct {
	route
	segments []string
}

func newRouter(all []route) router {
	r := make(router, len(all))
	for i, route := range all {
		r[i] = routeOf{route, strings.Split(route.path, "/")}
	}
	return r
}

// find gives the route for a method and an escaped path, and the parameters in the order of the path. Without a route
// it gives the methods that the path has, none for a path that is unknown. HEAD is GET.
func (r router) find(method, path string) (found *route, parameters, methods []string) {
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range r {
		values, ok := r[i].match(segments)
		if !ok {
			continue
		}
		if r[i].method == method {
			return &r[i].route, values, nil
		}
		methods = append(methods, r[i].method)
	}
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	return nil, nil, methods
}

// match compares segments, and decodes those that are parameters. A parameter is never empty.
func (r *routeOf) match(segments []string) (parameters []string, ok bool) {
	if len(segments) != len(r.segments) {
		return nil, false
	}
	for i, segment := range r.segments {
		if !strings.HasPrefix(segment, "{") {
			if segment != segments[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(segments[i])
		if err != nil || value == "" {
			return nil, false
		}
		parameters = append(parameters, value)
	}
	return parameters, true
}
