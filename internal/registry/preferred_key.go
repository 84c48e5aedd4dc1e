package registry

import "time"

// PreferredKey is, of the keys that are valid now, the one that became valid last; of those the one that stays valid
// longest. Keys without validity come after all others. That is the order of Drogue's RFC 0021: a handshake can only
// offer one key, and a key that somebody added to replace another is meant to be used as soon as it is valid.
func PreferredKey(credentials []Credential, now time.Time) *PreSharedKey {
	var best *PreSharedKey
	for _, c := range credentials {
		key := c.PreSharedKey
		if key == nil || len(key.Key) == 0 || (key.Validity != nil && !key.Validity.Contains(now)) {
			continue
		}
		if best == nil || fresher(key.Validity, best.Validity) {
			best = key
		}
	}
	return best
}

func fresher(a, b *Validity) bool {
	switch {
	case a == nil:
		return false
	case b == nil:
		return true
	case !a.NotBefore.Equal(b.NotBefore):
		return a.NotBefore.After(b.NotBefore)
	default:
		return a.NotAfter.After(b.NotAfter)
	}
}
