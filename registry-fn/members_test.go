package registryfn

import (
	"fmt"
	"strings"
	"testing"
)

func TestMembers(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	const members = admin + "/members"
	w.as("alice", "GET", members, "").want(t, 200, `{"resourceVersion":"*","members":{}}`)
	w.changes()
	w.as("alice", "PUT", members, `{"members":{"bob":{"role":"reader"},"id-carol":{"role":"admin"},"":{"role":"reader"}}}`).want(t, 204, "")
	if c := w.changes(); len(c) != 1 || c[0].Paths[0] != ".metadata" || !w.redis.heard("app-1/") {
		t.Errorf("changes %+v", c)
	}
	first := w.as("carol", "GET", members, "")
	first.want(t, 200, `{"resourceVersion":"*","members":{"bob":{"role":"reader"},"carol":{"role":"admin"},"":{"role":"reader"}}}`)
	version := first.text(t, "resourceVersion")
	if version != w.ok("alice", "GET", app, "").text(t, "metadata", "resourceVersion") {
		t.Error("members and application have different versions")
	}
	// What was read may be written back; who comes later with an older version loses.
	w.as("carol", "PUT", members, first.body).want(t, 204, "")
	w.as("carol", "PUT", members, `{"resourceVersion":"`+version+`","members":{"carol":{"role":"admin"}}}`).want(t, 204, "")
	w.as("alice", "PUT", members, `{"resourceVersion":"`+version+`","members":{}}`).want(t, 409, `{"error":"OptimisticLockFailed","message":"Lock failed"}`)
	w.as("carol", "PUT", members, `{"members":{}}`).want(t, 204, "")
	w.as("carol", "PUT", members, `{"members":{}}`).want(t, 404, notFoundBody) // not even with an old version
	w.as("carol", "PUT", members, `{"resourceVersion":"`+version+`","members":{}}`).want(t, 404, notFoundBody)

	f := func(body, message string) {
		t.Helper()
		a := w.as("alice", "PUT", members, body)
		a.want(t, 400, badRequestBody)
		if !strings.Contains(a.text(t, "message"), message) {
			t.Errorf("%s: %s, want %q", body, a.body, message)
		}
	}
	f(`{"members":{"nobody":{"role":"reader"}}}`, "Username nobody does not exist")
	f(`{"members":{"bob":{"role":"writer"}}}`, "members.bob.role")
	f(`{"members":{"bob":{}}}`, "members.bob.role")
	f(`{"members":{"bob":{"role":"reader"},"id-bob":{"role":"admin"}}}`, "there twice")
	f(`{"members":{"bob":{"role":"reader","more":1}}}`, "more")
	f(`{"members":[]}`, "members")
	f(`{"users":{}}`, "users")
	f(``, "not JSON")
	var many []string
	for i := range maxMembers + 1 {
		many = append(many, fmt.Sprintf(`"u%d":{"role":"reader"}`, i))
	}
	f(`{"members":{`+strings.Join(many, ",")+`}}`, "more than")
}

// A member whom the directory has forgotten is shown, and can be kept, by ID.
func TestMembersWithoutName(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	w.ok("alice", "PUT", admin+"/members", `{"members":{"bob":{"role":"reader"}}}`)
	db, _ := w.store.Database()
	if _, err := db.ExecContext(t.Context(), "DELETE FROM users WHERE id = 'id-bob'"); err != nil {
		t.Fatal(err)
	}
	w.as("alice", "GET", admin+"/members", "").want(t, 200, `{"resourceVersion":"*","members":{"id-bob":{"role":"reader"}}}`)
}

func TestTransfer(t *testing.T) {
	w := newWorld(t)
	share(w)
	const transfer, accept = admin + "/transfer-ownership", admin + "/accept-ownership"
	w.as("alice", "GET", transfer, "").want(t, 204, "")
	w.as("dave", "GET", transfer, "").want(t, 404, notFoundBody)
	w.as("dave", "PUT", accept, "").want(t, 404, notFoundBody)
	f := func(body, message string) {
		t.Helper()
		a := w.as("alice", "PUT", transfer, body)
		a.want(t, 400, badRequestBody)
		if !strings.Contains(a.text(t, "message"), message) {
			t.Errorf("%s: %s, want %q", body, a.body, message)
		}
	}
	f(`{"newUser":""}`, "newUser")
	f(`{}`, "newUser")
	f(`{"newUser":"nobody"}`, "Username nobody does not exist")
	f(`{"user":"dave"}`, "user")

	offer := func() {
		t.Helper()
		w.as("alice", "PUT", transfer, `{"newUser":"dave"}`).want(t, 202, "")
		for _, who := range []string{"alice", "dave", "root"} {
			w.as(who, "GET", transfer, "").want(t, 200, `{"newUser":"dave"}`)
		}
		for _, who := range []string{"bob", "carol", "", "part"} {
			w.as(who, "GET", transfer, "").want(t, 404, notFoundBody)
		}
		for _, who := range []string{"alice", "bob", "carol", "root", "part"} {
			w.as(who, "PUT", accept, "").want(t, 404, notFoundBody)
		}
		w.as("", "PUT", accept, "").want(t, 403, deniedBody)
		w.as("", "DELETE", transfer, "").want(t, 403, deniedBody)
		w.as("carol", "DELETE", transfer, "").want(t, 404, notFoundBody)
	}
	for _, who := range []string{"alice", "dave", "root"} {
		offer()
		w.as(who, "DELETE", transfer, "").want(t, 204, "")
		w.as("dave", "PUT", accept, "").want(t, 404, notFoundBody)
		w.as("alice", "GET", transfer, "").want(t, 204, "")
	}
	offer()
	w.as("dave", "PUT", app, `{"metadata":{"name":"app-1"}}`).want(t, 403, deniedBody) // a reader still
	w.changes()
	w.as("dave", "PUT", accept, "").want(t, 204, "")
	if c := w.changes(); len(c) != 1 || c[0].Paths[0] != ".metadata" {
		t.Errorf("changes %+v", c)
	}
	w.as("dave", "PUT", accept, "").want(t, 404, notFoundBody)
	w.as("alice", "GET", app, "").want(t, 403, deniedBody)
	w.as("alice", "GET", transfer, "").want(t, 404, notFoundBody)
	w.as("dave", "GET", transfer, "").want(t, 204, "")
	w.as("dave", "GET", admin+"/members", "").want(t, 200, "-")

	// A credential with a narrow scope takes nothing over.
	w.as("dave", "PUT", transfer, `{"newUser":"alice"}`).want(t, 202, "")
	for _, who := range []string{"reading", "only-app-1"} {
		w.as(who, "PUT", accept, "").want(t, 404, notFoundBody)
		w.as(who, "GET", transfer, "").want(t, 404, notFoundBody)
	}
	w.as("alice", "PUT", accept, "").want(t, 204, "")
}

func TestWhoAmI(t *testing.T) {
	w := newWorld(t)
	const path = "/api/admin/v1alpha1/user/whoami"
	w.as("alice", "GET", path, "").want(t, 200, `{"id":"id-alice","name":"alice"}`)
	w.as("", "GET", path, "").want(t, 200, `{"id":null}`)
}
