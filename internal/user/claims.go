package user

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what is taken from a token.
const (
	maxSubject = 255 // bytes of a subject or a name
	maxRoles   = 1000
)

// claims are what a verified token says. Their names are compared exactly, with their case.
type claims map[string]any

// text is a claim that is a string; "" for every other.
func (c claims) text(name string) string {
	text, _ := c[name].(string)
	return text
}

// moment reads a NumericDate (RFC 7519 section 2). It tells whether the claim is there and whether it is one.
func (c claims) moment(name string) (t time.Time, given, ok bool) {
	value, given := c[name]
	if !given {
		return t, false, true
	}
	seconds, ok := value.(float64)
	if !ok || math.IsNaN(seconds) || seconds < 0 || seconds > 1<<40 {
		return t, true, false
	}
	return time.UnixMilli(int64(seconds * 1000)), true, true
}

// audience is the claim aud, which may be one text or several.
func (c claims) audience() []string { return texts(c["aud"]) }

func texts(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, item := range v {
			if text, ok := item.(string); ok {
				all = append(all, text)
			}
		}
		return all
	default:
		return nil
	}
}

// client is to whom a token was issued: azp (OpenID Connect Core 1.0 section 2), or client_id (RFC 9068 section 2.2).
func (c claims) client() (id string, given bool) {
	for _, name := range []string{"azp", "client_id"} {
		if value, found := c[name]; found {
			id, _ = value.(string)
			return id, true
		}
	}
	return "", false
}

// check tells why a token is not taken at a moment; "" if it is.
func (c claims) check(p *ProviderConfig, now time.Time) reason {
	expires, given, ok := c.moment("exp")
	notBefore, _, okNotBefore := c.moment("nbf")
	issued, _, okIssued := c.moment("iat")
	client, hasClient := c.client()
	switch {
	case !ok || !given || !okNotBefore || !okIssued:
		return errClaims
	case !now.Before(expires.Add(p.Skew)):
		return errExpired
	case now.Add(p.Skew).Before(notBefore) || now.Add(p.Skew).Before(issued):
		return errNotYet
	case !slices.ContainsFunc(c.audience(), func(a string) bool { return slices.Contains(p.audiences(), a) }):
		return errAudience
	case hasClient && !slices.Contains(p.clients(), client):
		return errClient
	case !isName(c.text("sub")):
		return errSubject
	case !c.isUserToken():
		return errType
	}
	return ""
}

// isUserToken tells a token that stands for somebody from others that Keycloak and providers of its kind sign: refresh
// tokens, logout tokens.
func (c claims) isUserToken() bool {
	if _, event := c["events"]; event { // OpenID Connect Back-Channel Logout 1.0 section 2.4
		return false
	}
	kind, given := c["typ"]
	return !given || kind == "Bearer" || kind == "ID"
}

// isName tells whether a text can be a subject or a name.
func isName(text string) bool {
	return text != "" && len(text) <= maxSubject && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// identity is who a token stands for.
func (c claims) identity(p *ProviderConfig) *Identity {
	subject := c.text("sub")
	i := &Identity{ID: p.Prefix + subject, Name: p.Prefix + subject, Roles: c.roles(p)}
	if name := c.text(p.NameClaim); isName(name) {
		i.Name = p.Prefix + name
	}
	i.Until, _, _ = c.moment("exp")
	i.Admin = p.AdminRole != "" && slices.Contains(i.Roles, p.AdminRole)
	client, _ := c.client()
	i.Service = slices.Contains(p.ServiceClients, client) || slices.ContainsFunc(p.ServiceSubjects, func(s string) bool { return covers(s, subject) })
	return i
}

// covers tells whether a subject is a configured one, in which a * stands for whatever.
func covers(configured, subject string) bool {
	beginning, end, open := strings.Cut(configured, "*")
	if !open {
		return configured == subject
	}
	rest, ok := strings.CutPrefix(subject, beginning)
	return ok && strings.HasSuffix(rest, end)
}

// roles are those at all paths of the provider, sorted, each once.
func (c claims) roles(p *ProviderConfig) (roles []string) {
	for _, path := range p.RoleClaims {
		roles = append(roles, c.at(path, p.clients())...)
	}
	slices.Sort(roles)
	roles = slices.Compact(roles)
	return roles[:min(len(roles), maxRoles)]
}

// at gives the texts at a path such as resource_access.*.roles, in which * stands for each client. A claim whose name
// is the whole path comes first, because names of claims may have dots themselves.
func (c claims) at(path string, clients []string) []string {
	if value, whole := c[path]; whole {
		return texts(value)
	}
	values := []any{map[string]any(c)}
	for part := range strings.SplitSeq(path, ".") {
		names := []string{part}
		if part == "*" {
			names = clients
		}
		values = step(values, names)
	}
	var all []string
	for _, value := range values {
		all = append(all, texts(value)...)
	}
	return all
}

// step gives the members of objects that have one of some names.
func step(objects []any, names []string) (members []any) {
	for _, object := range objects {
		fields, _ := object.(map[string]any)
		for _, name := range names {
			if value, found := fields[name]; found {
				members = append(members, value)
			}
		}
	}
	return members
}
