package registryfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	yamlv2 "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"

	"github.com/fairlead/fairlead/internal/devcloud/folder"
	"github.com/fairlead/fairlead/internal/registry"
)

// Bounds of the files.
const (
	MaxFileBytes = 16 << 20
	MaxDocuments = 20_000 // of one file
)

// APIVersion may be given in a document; none means the same.
const APIVersion = "fairlead.io/v1"

// nothing is the document of a file that is meant to hold no other: an empty list, in YAML and in JSON.
const nothing = "[]"

// Contents are the documents of some files.
type Contents struct {
	Applications []*registry.Application
	Devices      []*registry.Device
	Files        []File // as they were read
}

// Load reads files. An error names the file, the document and the field; it holds no value of it. A file without a document
// is an error, since that is how a file looks while it is being saved.
func Load(names ...string) (Contents, error) {
	var all Contents
	var problems []error
	for _, name := range names {
		text, err := read(name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		before := len(all.Applications) + len(all.Devices)
		if err := all.add(name, text, false); err != nil {
			problems = append(problems, err)
		} else if len(all.Applications)+len(all.Devices) == before && !isNothing(text) {
			problems = append(problems, fmt.Errorf("registry file %s: holds no document; a file that is meant to hold none says so by %s", name, nothing))
		}
		all.Files = append(all.Files, File{name, text})
	}
	if err := errors.Join(problems...); err != nil {
		return Contents{}, err
	}
	return all, all.check()
}

// Decode reads the text of one file.
func Decode(name string, text []byte) (Contents, error) {
	var all Contents
	if err := all.add(name, text, false); err != nil {
		return Contents{}, err
	}
	return all, all.check()
}

// Document reads one document as it stands alone: the application of a device may be elsewhere, and a document without a kind
// is a device if it has an application. The other of the two is nil.
func Document(text []byte) (*registry.Application, *registry.Device, error) {
	var one Contents
	if err := one.document(text, true); err != nil {
		return nil, nil, err
	}
	if len(one.Applications) > 0 {
		return one.Applications[0], nil, nil
	}
	return nil, one.Devices[0], nil
}

func read(name string) ([]byte, error) {
	text, err := folder.ReadFile(name, MaxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("registry file: %w", err)
	}
	return text, nil
}

func (c *Contents) add(name string, text []byte, infer bool) error {
	documents, err := split(text)
	if err != nil {
		return fmt.Errorf("registry file %s: %w", name, err)
	}
	var problems []error
	for i, document := range documents {
		if isNothing(document) {
			continue
		}
		if err := c.document(document, infer); err != nil {
			problems = append(problems, fmt.Errorf("registry file %s: document %d: %w", name, i+1, err))
		}
	}
	return errors.Join(problems...)
}

func (c *Contents) document(text []byte, infer bool) error {
	if len(text) > registry.MaxDocument {
		return fmt.Errorf("larger than %d bytes", registry.MaxDocument)
	}
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	if err := alone(text); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(asJSON, &members); err != nil {
		return errors.New("is not an object")
	}
	var kind, version string
	_ = json.Unmarshal(members["kind"], &kind) // anything but a text is no kind
	if raw, ok := members["apiVersion"]; ok && (json.Unmarshal(raw, &version) != nil || version != APIVersion) {
		return fmt.Errorf("apiVersion: must be %s, or absent", APIVersion)
	}
	if _, given := members["kind"]; !given && infer {
		kind = kindOf(members["metadata"])
	}
	delete(members, "kind")
	delete(members, "apiVersion")
	body, err := json.Marshal(members)
	if err != nil {
		return err
	}
	switch kind {
	case "Application":
		application, err := registry.DecodeApplication(body)
		if err != nil {
			return err
		}
		if err := resolve(application); err != nil {
			return err
		}
		c.Applications = append(c.Applications, application)
	case "Device":
		device, err := registry.DecodeDevice(body)
		if err != nil {
			return err
		}
		c.Devices = append(c.Devices, device)
	case "Trigger", "Broker":
		return fmt.Errorf("kind: a %s belongs into the folder of the Triggers, not into a registry file", kind)
	default:
		return errors.New("kind: must be Application or Device")
	}
	return nil
}

// isNothing tells whether a text, apart from comments and markers, is the document that stands for none.
func isNothing(text []byte) bool {
	documents, err := split(text)
	if err != nil || len(documents) != 1 {
		return false
	}
	content, found := bytes.CutPrefix(bytes.TrimSpace(afterComments(documents[0])), []byte(nothing))
	return found && len(afterComments(content)) == 0
}

// alone checks that nothing follows a document in braces, which the YAML parser would overlook.
func alone(text []byte) error {
	if content := bytes.TrimLeft(afterComments(text), " \t\r"); len(content) == 0 || content[0] != '{' {
		return nil
	}
	decoder := yamlv2.NewDecoder(bytes.NewReader(text))
	var document, more any
	if err := decoder.Decode(&document); err != nil {
		return err
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return errors.New("something follows it that a line --- has to separate from it")
	}
	return nil
}

// kindOf tells by its metadata what a document without a kind is.
func kindOf(raw json.RawMessage) string {
	var metadata struct{ Application string }
	if json.Unmarshal(raw, &metadata) == nil && metadata.Application != "" {
		return "Device"
	}
	return "Application"
}

// resolve writes what the trust anchors of an application come to into its status, where device authentication reads it.
func resolve(a *registry.Application) error {
	delete(a.Status, registry.SectionTrustAnchors)
	if _, ok := a.Spec[registry.SectionTrustAnchors]; !ok {
		return nil
	}
	anchors, err := registry.ResolveTrustAnchors(a.Spec)
	if err != nil {
		return fmt.Errorf("spec.%s: %w", registry.SectionTrustAnchors, err)
	}
	raw, err := json.Marshal(anchors)
	if err != nil {
		return fmt.Errorf("spec.%s: %w", registry.SectionTrustAnchors, err)
	}
	if a.Status == nil {
		a.Status = registry.Sections{}
	}
	a.Status[registry.SectionTrustAnchors] = raw
	return a.Validate()
}

// Trust has an application trust an authority, given as PEM, and no other one.
func (c *Contents) Trust(application string, authority []byte) error {
	for _, a := range c.Applications {
		if a.Metadata.Name != application {
			continue
		}
		section, err := json.Marshal(map[string]any{"anchors": []any{map[string]any{"certificate": authority}}})
		if err != nil {
			return err
		}
		if a.Spec == nil {
			a.Spec = registry.Sections{}
		}
		a.Spec[registry.SectionTrustAnchors] = section
		return resolve(a)
	}
	return fmt.Errorf("there is no application %q", application)
}

// check finds what only shows with all files together.
func (c *Contents) check() error {
	applications := map[string]bool{}
	for _, a := range c.Applications {
		if applications[a.Metadata.Name] {
			return fmt.Errorf("registry files: application %q is there twice", a.Metadata.Name)
		}
		applications[a.Metadata.Name] = true
	}
	type key struct{ application, device string }
	devices := map[key]bool{}
	for _, d := range c.Devices {
		k := key{d.Metadata.Application, d.Metadata.Name}
		if devices[k] {
			return fmt.Errorf("registry files: device %q of application %q is there twice", k.device, k.application)
		}
		if !applications[k.application] {
			return fmt.Errorf("registry files: device %q belongs to application %q, which is in no file", k.device, k.application)
		}
		devices[k] = true
	}
	return nil
}
