package auth

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/sqlite"
)

// TestManyForeignAnchors has more applications than are tried register authorities of the owner's subject before the owner does, or
// of the subject of an intermediate one, in a real registry.
func TestManyForeignAnchors(t *testing.T) {
	f := func(subject string, throughIntermediate bool) {
		t.Helper()
		db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := migrate.Up(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		add := func(a *registry.Application) {
			t.Helper()
			if _, err := db.ApplyApplication(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 2 * maxCandidates {
			add(trusting(t, fmt.Sprintf("foreign-%d", n), newIssuer(t, nil, subject, nil)))
		}
		ca := newIssuer(t, nil, "Application 1", nil)
		add(trusting(t, "owner", ca))
		if _, err := db.ApplyDevice(t.Context(), device(t, "owner", "device1", `{"alias":["O=Drogue IoT, OU=Cloud, CN=Device 1"]}`)); err != nil {
			t.Fatal(err)
		}
		chain := [][]byte{ca.leaf("Device 1", nil)}
		if throughIntermediate {
			middle := newIssuer(t, ca, "Intermediate", nil)
			chain = [][]byte{middle.leaf("Device 1", nil), middle.certificate.Raw}
		}
		request, err := FromCertificates(chain)
		if err != nil {
			t.Fatal(err)
		}
		session, err := NewService(DefaultServiceConfig(), db, nil).Authenticate(t.Context(), request)
		if err != nil || session.Application.Metadata.Name != "owner" {
			t.Errorf("foreign anchors of %s: %v", subject, err)
		}
	}
	f("Application 1", false)
	f("Application 1", true)
	f("Intermediate", true)
}
