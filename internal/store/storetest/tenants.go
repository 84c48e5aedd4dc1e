package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

func (s *suite) tenant(application string) *store.Tenant {
	s.t.Helper()
	tenant, err := s.Tenant(s.t.Context(), application)
	if err != nil {
		s.t.Fatal(err)
	}
	return tenant
}

func (s *suite) setMembers(application string, members map[string]string) {
	s.t.Helper()
	_, err := s.UpdateTenant(s.t.Context(), application, store.Expect{}, func(t *store.Tenant) error {
		t.Members = members
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func testTenants(t *testing.T, s *suite) {
	if _, err := s.CreateApplication(t.Context(), application(t, `{"metadata":{"name":"app"}}`), "alice"); err != nil {
		t.Fatal(err)
	}
	s.forget()
	f := func(changed bool, want store.Tenant, change func(*store.Tenant)) {
		t.Helper()
		before := s.tenant("app")
		changes, err := s.UpdateTenant(t.Context(), "app", store.Expect{ResourceVersion: before.ResourceVersion}, func(tenant *store.Tenant) error {
			change(tenant)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		after := s.tenant("app")
		want.Application, want.UID = "app", before.UID
		if diff := cmp.Diff(&want, after, cmpopts.IgnoreFields(store.Tenant{}, "ResourceVersion"), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		document := s.application("app").Metadata
		if document.ResourceVersion != after.ResourceVersion || changed != (after.ResourceVersion != before.ResourceVersion) || document.Generation != 1 {
			t.Errorf("version %s after %s, and the document has %+v", after.ResourceVersion, before.ResourceVersion, document)
		}
		if !changed {
			s.want(changes)
			return
		}
		s.want(changes, at(applicationChange("app", document.Revision, "app"), ".metadata"))
	}
	f(false, store.Tenant{Owner: "alice"}, func(*store.Tenant) {})
	members := map[string]string{"": "reader", "bob": "manager"}
	f(true, store.Tenant{Owner: "alice", Members: members}, func(t *store.Tenant) { t.Members = members })
	f(false, store.Tenant{Owner: "alice", Members: members}, func(t *store.Tenant) { t.Members = map[string]string{"bob": "manager", "": "reader"} })
	f(true, store.Tenant{Owner: "alice", Members: map[string]string{"bob": "admin"}}, func(t *store.Tenant) { delete(t.Members, ""); t.Members["bob"] = "admin" })
	f(false, store.Tenant{Owner: "alice", Heir: "bob", Members: map[string]string{"bob": "admin"}}, func(t *store.Tenant) { t.Heir = "bob" })
	f(true, store.Tenant{Owner: "bob", Members: map[string]string{"bob": "admin"}}, func(t *store.Tenant) { t.Owner, t.Heir = t.Heir, "" })

	mine := errors.New("no")
	if _, err := s.UpdateTenant(t.Context(), "app", store.Expect{}, func(t *store.Tenant) error { t.Owner = "eve"; return mine }); !errors.Is(err, mine) {
		t.Errorf("a function's error came back as %v", err)
	}
	if got := s.tenant("app").Owner; got != "bob" {
		t.Errorf("the application belongs to %q", got)
	}
	for name, expect := range map[string]store.Expect{"none": {}, "\x00": {}, "app": {ApplicationUID: "another"}} {
		if _, err := s.UpdateTenant(t.Context(), name, expect, func(*store.Tenant) error { return nil }); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("changing the tenant %q: %v, want not found", name, err)
		}
		if _, err := s.Tenant(t.Context(), name); name != "app" && !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("reading the tenant %q: %v, want not found", name, err)
		}
	}

	// Its members go with an application.
	s.deleteApplication("app")
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	if tenant := s.tenant("app"); tenant.Owner != "" || len(tenant.Members) > 0 {
		t.Errorf("a new application has the old one's: %+v", tenant)
	}
}

func testRacingMembers(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	version := s.tenant("app").ResourceVersion
	won := 0
	for i, err := range race(writers, func(i int) error {
		_, err := s.UpdateTenant(t.Context(), "app", store.Expect{ResourceVersion: version}, func(t *store.Tenant) error {
			t.Members[fmt.Sprint(i)] = "reader"
			return nil
		})
		return err
	}) {
		if err == nil {
			won++
		} else if !errors.Is(err, store.ErrExpectation) {
			t.Errorf("writer %d: %v, want ErrExpectation", i, err)
		}
	}
	if tenant := s.tenant("app"); won != 1 || len(tenant.Members) != 1 {
		t.Errorf("%d writers won, and the members are %v", won, tenant.Members)
	}
}
