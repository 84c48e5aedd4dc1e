package registry

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
)

// secretNames are the members, anywhere in a section, whose values prove somebody or something: without case, hyphens and
// underscores. What stands in headers is kept from readers as a whole.
var secretNames = map[string]bool{
	"pass": true, "password": true, "passwd": true, "passphrase": true, "plain": true, "bcrypt": true, "sha512": true, "sha256": true, "hash": true,
	"secret": true, "clientsecret": true, "sharedsecret": true, "token": true, "accesstoken": true, "refreshtoken": true, "bearer": true,
	"key": true, "keys": true, "apikey": true, "appkey": true, "nwkkey": true, "privatekey": true, "psk": true,
	"authorization": true, "auth": true, "credential": true, "credentials": true, "headers": true,
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
			if secretNames[strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))] {
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

// withoutUser removes the user and the password from a URL, and leaves every other text as it is.
func withoutUser(text string) string {
	if !strings.Contains(text, "@") || !strings.Contains(text, "://") {
		return text
	}
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return text
	}
	u.User = nil
	return u.String()
}
