package auth

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/outcome"
)

func TestFromIdentity(t *testing.T) {
	f := func(identity, device, application string) {
		t.Helper()
		r, err := FromIdentity(identity, "proof")
		if err != nil || r.Device != device || r.Application != application || r.Credential != Proof("proof") {
			t.Errorf("FromIdentity(%q) = %+v, %v", identity, r, err)
		}
	}
	f("device@app", "device", "app")
	f("a@b@c", "a", "b@c")
	f("de%40vice@app", "de%40vice", "app")

	refused := func(identity string) {
		t.Helper()
		if _, err := FromIdentity(identity, ""); outcome.Of(err) != outcome.Unauthenticated {
			t.Errorf("FromIdentity(%q) = %v", identity, err)
		}
	}
	refused("")
	refused("device")
	refused("@app")
	refused("device@")
	refused("de\xffvice@app")
	refused(strings.Repeat("x", MaxIdentity) + "@app")
}

func FuzzFromIdentity(f *testing.F) {
	for _, seed := range []string{"device@app", "@", "a@b@c", "%40@x", "\xff@x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, identity string) {
		r, err := FromIdentity(identity, "")
		if err == nil && r.Device+"@"+r.Application != identity {
			t.Errorf("%q became %q of %q", identity, r.Device, r.Application)
		}
	})
}
