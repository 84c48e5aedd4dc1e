package registry

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// secretNames are the members, anywhere in a section, whose values prove somebody or something: without case, and with letters and
// digits only. What stands in headers is kept from readers as a whole.
var secretNames = map[string]bool{
	"pass": true, "plain": true, "bcrypt": true, "sha512": true, "sha256": true, "hash": true, "bearer": true, "psk": true, "auth": true, "headers": true,
}

// secretEndings end the names of such members: apiKey, app_s_key, sasl.password.
var secretEndings = []string{
	"password", "passwords", "passwd", "passphrase", "secret", "secrets", "token", "tokens", "key", "keys", "authorization",
	"credential", "credentials", "jaasconfig",
}

// isSecret tells whether a member of a name is kept from readers.
func isSecret(name string) bool {
	name = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
	return secretNames[name] || slices.ContainsFunc(secretEndings, func(ending string) bool { return strings.HasSuffix(name, ending) })
}

// WithoutSecrets is an application for people who may only read: without passwords, hashes and keys.
func (a *Application) WithoutSecrets() *Application {
	return &Application{Metadata: a.Metadata, Spec: withoutSecrets(a.Spec), Status: withoutSecrets(a.Status)}
}

// WithoutSecrets is a device for people who may only read: without passwords, hashes and keys. That there are credentials,
// of which kinds, for which user names and how long, stays.
func (d *Device) WithoutSecrets() *Device {
	return &Device{Metadata: d.Metadata, Spec: withoutSecrets(d.Spec), Status: withoutSecrets(d.Status)}
}

func withoutSecrets(sections Sections) Sections {
	if sections == nil {
		return nil
	}
	open := make(Sections, len(sections))
	for name, section := range sections {
		decoder := json.NewDecoder(bytes.NewReader(section))
		decoder.UseNumber()
		var content any
		if decoder.Decode(&content) != nil {
			continue
		}
		changed := true
		if name == SectionAuthentication || name == SectionCredentials {
			content = openCredentials(content)
		} else {
			content, changed = openValue(content)
		}
		if !changed {
			open[name] = section
		} else if text, err := json.Marshal(content); err == nil {
			open[name] = text
		}
	}
	return open
}

// HasSecrets tells whether WithoutSecrets would leave anything out.
func (a *Application) HasSecrets() bool {
	open := a.WithoutSecrets()
	same := func(x, y json.RawMessage) bool { return bytes.Equal(x, y) }
	return !maps.EqualFunc(open.Spec, a.Spec, same) || !maps.EqualFunc(open.Status, a.Status, same)
}

// openCredentials keeps of a section with credentials what proves nobody, and nothing that is not known.
func openCredentials(section any) any {
	object, _ := section.(map[string]any)
	list, _ := object["credentials"].([]any)
	kept := make([]any, 0, len(list))
	for _, item := range list {
		credential, _ := item.(map[string]any)
		kept = append(kept, openCredential(credential))
	}
	return map[string]any{"credentials": kept}
}

func openCredential(credential map[string]any) map[string]any {
	kept := map[string]any{}
	for kind, value := range credential {
		object, _ := value.(map[string]any)
		switch kind {
		case "pass":
			kept[kind] = map[string]any{}
		case "user":
			kept[kind] = only(object, "username", "unique")
		case "psk":
			kept[kind] = only(object, "validity")
		case "cert":
			kept[kind] = value
		}
	}
	return kept
}

func only(object map[string]any, names ...string) map[string]any {
	kept := map[string]any{}
	for _, name := range names {
		if value, ok := object[name]; ok {
			kept[name] = value
		}
	}
	return kept
}

// openValue removes secret members, and users in URLs, from a value, and tells whether there were any.
func openValue(value any) (open any, changed bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if isSecret(name) {
				delete(v, name)
				changed = true
				continue
			}
			var found bool
			v[name], found = openValue(member)
			changed = changed || found
		}
	case []any:
		for i := range v {
			var found bool
			v[i], found = openValue(v[i])
			changed = changed || found
		}
	case string:
		text := withoutUser(v)
		return text, text != v
	}
	return value, changed
}

// userOfURL is what stands before the host of a URL, wherever that is in a text.
var userOfURL = regexp.MustCompile(`://[^/?#\s]*@`)

// withoutUser removes users and passwords from URLs, and leaves every other text as it is. In what looks like a URL and cannot be read
// as one, as a password has a slash, they may go on up to the last "@".
func withoutUser(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	text = userOfURL.ReplaceAllString(text, "://")
	if scheme, rest, ok := strings.Cut(text, "://"); ok && strings.Contains(rest, "@") {
		if _, err := url.Parse(text); err != nil {
			return scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
		}
	}
	return text
}
