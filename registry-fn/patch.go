package registryfn

import (
	"encoding/json"
	"fmt"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

// mergePatch is the media type of a JSON merge patch.
const mergePatch = "application/merge-patch+json"

// A patch is a JSON merge patch (RFC 7396) of a document.
type patch map[string]json.RawMessage

func (c *call) readPatch() (patch, error) {
	c.w.Header().Set("Accept-Patch", mergePatch)
	if !c.isJSON(mergePatch) {
		return nil, wrongType("Content-Type must be " + mergePatch)
	}
	body, err := c.read()
	if err != nil {
		return nil, err
	}
	body = c.once(body)
	var p patch
	if err := decodeBody(body, &p); err != nil {
		return nil, err
	}
	if p == nil {
		return nil, badRequest("a patch must be an object")
	}
	return p, nil
}

// apply patches a document and reads the result as strictly as any document.
func (p patch) apply(document, into any) error {
	text, err := encode(document)
	if err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return fmt.Errorf("reading a stored document: %w", err)
	}
	patched, err := encode(merge(members, p))
	if err != nil {
		return err
	}
	return decodeBody(patched, into)
}

// merge is the function MergePatch of RFC 7396 section 2 for a patch that is an object. What is not an object has no
// members, and null removes one.
func merge(target map[string]json.RawMessage, p patch) map[string]json.RawMessage {
	if target == nil {
		target = map[string]json.RawMessage{}
	}
	for name, value := range p {
		switch {
		case string(value) == "null":
			delete(target, name)
		case value[0] == '{':
			target[name] = mergeMember(target[name], value)
		default:
			target[name] = value
		}
	}
	return target
}

func mergeMember(target, value json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if len(target) > 0 && target[0] == '{' {
		_ = json.Unmarshal(target, &members) // which is valid, as it was read before
	}
	var p patch
	_ = json.Unmarshal(value, &p)
	merged, err := encode(merge(members, p))
	if err != nil {
		return value
	}
	return merged
}

// checkPatched refuses what a patch may not change, and compares what it says of the version with the stored one.
func (c *call) checkPatched(stored, patched *registry.Metadata) error {
	switch {
	case stored.Name != patched.Name:
		return badRequest("metadata.name: cannot be changed")
	case stored.Application != patched.Application:
		return badRequest("metadata.application: cannot be changed")
	case patched.UID != "" && patched.UID != stored.UID, patched.ResourceVersion != "" && patched.ResourceVersion != stored.ResourceVersion:
		return store.ErrExpectation
	}
	return nil
}
