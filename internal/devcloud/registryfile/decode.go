package registryfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"

	"github.com/fairlead/fairlead/internal/registry"
)

// Bounds of the files.
const (
	MaxFileBytes = 16 << 20
	MaxDocuments = 20_000 // of one file
)

// APIVersion may be given in a document; none means the same.
const APIVersion = "fairlead.io/v1"

// Contents are the documents of some files.
type Contents struct {
	Applications []*registry.Application
	Devices      []*registry.Device
}

// Load reads files. An error names the file, the document and the field; it holds no value of it.
func Load(names ...string) (Contents, error) {
	var all Contents
	var problems []error
	for _, name := range names {
		text, err := read(name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if err := all.add(name, text, false); err != nil {
			problems = append(problems, err)
		}
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

// Documents reads the text of one file as it stands alone: the applications of its devices may be elsewhere, and a document
// without a kind is a device if it has an application.
func Documents(name string, text []byte) (Contents, error) {
	var all Contents
	if err := all.add(name, text, true); err != nil {
		return Contents{}, err
	}
	return all, nil
}

func read(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("registry file: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("registry file %s: %w", name, err)
	}
	if len(text) > MaxFileBytes {
		return nil, fmt.Errorf("registry file %s: larger than %d bytes", name, MaxFileBytes)
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
		if err := c.document(document, infer); err != nil {
			problems = append(problems, fmt.Errorf("registry file %s: document %d: %w", name, i+1, err))
		}
	}
	return errors.Join(problems...)
}

// split cuts a file into documents and leaves out those of nothing but comments.
func split(text []byte) ([][]byte, error) {
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		return splitJSON(text)
	}
	var documents [][]byte
	var current []byte
	for line := range bytes.Lines(text) {
		rest, ok := afterMarker(line)
		if !ok {
			current = append(current, line...)
			continue
		}
		documents = appendDocument(documents, current)
		current = append([]byte(nil), rest...)
	}
	documents = appendDocument(documents, current)
	if len(documents) > MaxDocuments {
		return nil, fmt.Errorf("more than %d documents", MaxDocuments)
	}
	return documents, nil
}

// afterMarker returns what follows a document marker: three hyphens or dots at the begin of a line, wherever it stands
// (YAML 1.2, section 9.1.2).
func afterMarker(line []byte) (rest []byte, ok bool) {
	for _, marker := range []string{"---", "..."} {
		rest, found := bytes.CutPrefix(line, []byte(marker))
		if found && (len(rest) == 0 || bytes.ContainsRune([]byte(" \t\r\n"), rune(rest[0]))) {
			return rest, true
		}
	}
	return nil, false
}

func appendDocument(documents [][]byte, document []byte) [][]byte {
	for line := range bytes.Lines(document) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return append(documents, document)
		}
	}
	return documents
}

func splitJSON(text []byte) ([][]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	var documents [][]byte
	for {
		var document json.RawMessage
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", len(documents)+1, err)
		}
		if len(documents) == MaxDocuments {
			return nil, fmt.Errorf("more than %d documents", MaxDocuments)
		}
		documents = append(documents, document)
	}
}

func (c *Contents) document(text []byte, infer bool) error {
	if len(text) > registry.MaxDocument {
		return fmt.Errorf("larger than %d bytes", registry.MaxDocument)
	}
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
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
	default:
		return errors.New("kind: must be Application or Device")
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
