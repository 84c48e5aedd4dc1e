package kubetest

import (
	"bytes"
	"encoding/json"
)

// clone copies an object.
func clone(o map[string]any) map[string]any {
	text, _ := json.Marshal(o)
	var copied map[string]any
	if _ = json.Unmarshal(text, &copied); copied == nil {
		return map[string]any{}
	}
	return copied
}

// without removes from an object the members that were applied before and are not given now. Lists are taken as a whole.
func without(live, applied, given map[string]any) map[string]any {
	for name, was := range applied {
		now, still := given[name]
		if !still {
			delete(live, name)
			continue
		}
		below, ok := live[name].(map[string]any)
		wasMembers, wasMap := was.(map[string]any)
		nowMembers, nowMap := now.(map[string]any)
		if ok && wasMap && nowMap {
			without(below, wasMembers, nowMembers)
		}
	}
	return live
}

// merge puts the members that are given over those of an object.
func merge(live, given map[string]any) map[string]any {
	for name, value := range given {
		below, ok := live[name].(map[string]any)
		members, isMap := value.(map[string]any)
		if ok && isMap {
			value = merge(below, members)
		}
		live[name] = value
	}
	return live
}

// same compares objects.
func same(one, other map[string]any) bool {
	a, _ := json.Marshal(one)
	b, _ := json.Marshal(other)
	return bytes.Equal(a, b)
}
