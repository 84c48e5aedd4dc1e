package user

import (
	"encoding/json"
	"testing"
)

func TestDecide(t *testing.T) {
	app := Access{Application: "app", Owner: "owner", Members: map[string]Role{
		"reader": RoleReader, "manager": RoleManager, "admin": RoleAdmin, "odd": "emperor",
	}}
	public, ownerless := app, Access{Application: "app"}
	public.Members = map[string]Role{Everyone: RoleAdmin}
	f := func(name string, i *Identity, app Access, want string) {
		t.Helper()
		got := ""
		for p, letter := range map[Permission]string{Read: "r", Write: "w", Admin: "a", Owner: "o"} {
			if Decide(i, app, p) {
				got += letter
			}
		}
		if len(got) != len(want) { // permissions include each other, so the number tells which
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	user := func(id string) *Identity { return &Identity{ID: id} }
	scoped := func(id string, s Scope) *Identity { return &Identity{ID: id, Scope: s} }
	root := &Identity{ID: "root", Admin: true}
	service := &Identity{ID: "service", Service: true}

	f("owner", user("owner"), app, "rwao")
	f("admin member", user("admin"), app, "rwa")
	f("manager", user("manager"), app, "rw")
	f("reader", user("reader"), app, "r")
	f("unknown role", user("odd"), app, "")
	f("stranger", user("stranger"), app, "")
	f("anonymous", &Identity{}, app, "")
	f("nobody", nil, app, "")
	f("administrator", root, app, "rwao")
	f("service", service, app, "rw")

	f("stranger to a public application", user("stranger"), public, "r")
	f("anonymous to a public application", &Identity{}, public, "r")
	f("nobody to a public application", nil, public, "r")
	f("owner of a public application", user("owner"), public, "rwao")

	f("somebody to an application without owner", user("stranger"), ownerless, "rwao")
	f("anonymous to an application without owner", &Identity{}, ownerless, "")

	f("administrator to no application", root, Access{}, "")
	f("anonymous to no application", &Identity{}, Access{Members: map[string]Role{Everyone: RoleReader}}, "")

	f("owner, scope of this application", scoped("owner", Scope{Applications: []string{"x", "app"}}), app, "rwao")
	f("owner, scope of another", scoped("owner", Scope{Applications: []string{"x"}}), app, "")
	f("owner, scope Write", scoped("owner", Scope{Permission: Write}), app, "rw")
	f("reader, scope Write", scoped("reader", Scope{Permission: Write}), app, "r")
	f("administrator, scope Read", &Identity{ID: "root", Admin: true, Scope: Scope{Permission: Read}}, app, "r")
	f("stranger to a public application, scope of another", scoped("stranger", Scope{Applications: []string{"x"}}), public, "")
}

func TestDecideKnowsNoOtherPermission(t *testing.T) {
	for _, p := range []Permission{0, Owner + 1, 255} {
		if Decide(&Identity{ID: "root", Admin: true}, Access{Application: "app"}, p) {
			t.Errorf("permission %d is given", p)
		}
	}
}

func TestMayCreate(t *testing.T) {
	f := func(i *Identity, want bool) {
		t.Helper()
		if i.MayCreate() != want {
			t.Errorf("%+v may create: %v", i, !want)
		}
	}
	f(nil, false)
	f(&Identity{}, false)
	f(&Identity{ID: "u"}, true)
	f(&Identity{ID: "u", Scope: Scope{Permission: Owner}}, true)
	f(&Identity{ID: "u", Scope: Scope{Permission: Admin}}, false)
	f(&Identity{ID: "u", Scope: Scope{Applications: []string{"a"}}}, false)
}

func TestScopeJSON(t *testing.T) {
	f := func(text string, want Scope) {
		t.Helper()
		var s Scope
		if err := json.Unmarshal([]byte(text), &s); err != nil || s.Permission != want.Permission || len(s.Applications) != len(want.Applications) {
			t.Fatalf("%s: %+v, %v", text, s, err)
		}
		if back, err := json.Marshal(s); err != nil || string(back) != text {
			t.Errorf("%s comes back as %s, %v", text, back, err)
		}
	}
	f(`{}`, Scope{})
	f(`{"permission":"Read"}`, Scope{Permission: Read})
	f(`{"applications":["a","b"],"permission":"Owner"}`, Scope{[]string{"a", "b"}, Owner})
	for _, bad := range []string{`{"permission":"read"}`, `{"permission":""}`, `{"permission":1}`} {
		if err := json.Unmarshal([]byte(bad), new(Scope)); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
	if _, err := json.Marshal(Scope{Permission: 9}); err == nil {
		t.Error("a permission without a name is written")
	}
}
