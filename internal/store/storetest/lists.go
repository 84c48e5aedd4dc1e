package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// A labelled is a document as far as selectors see it.
type labelled struct {
	name   string
	labels map[string]string
}

func (l *labelled) document(application string) string {
	var pairs []string
	for key, value := range l.labels {
		pairs = append(pairs, fmt.Sprintf("%q:%q", key, value))
	}
	if application != "" {
		application = fmt.Sprintf(`"application":%q,`, application)
	}
	return fmt.Sprintf(`{"metadata":{"name":%q,%s"labels":{%s}}}`, l.name, application, strings.Join(pairs, ","))
}

// randomLabels draws from so few labels that every selector finds something and misses something.
func randomLabels(random *rand.Rand) map[string]string {
	m := map[string]string{}
	for _, key := range []string{"a", "b", "x.y/c"} {
		if random.IntN(3) > 0 {
			m[key] = fmt.Sprint(random.IntN(3))
		}
	}
	return m
}

func randomSelector(random *rand.Rand) string {
	forms := []string{"%s", "!%s", "%s=1", "%s!=1", "%s in (0, 2, 0)", "%s notin (0)", "%s in ()", "%s notin ()", "%s in (1)", "%s=none"}
	var parts []string
	for range random.IntN(4) {
		key := []string{"a", "b", "x.y/c", "none"}[random.IntN(4)]
		parts = append(parts, fmt.Sprintf(forms[random.IntN(len(forms))], key))
	}
	return strings.Join(parts, ",")
}

func selector(t *testing.T, text string) registry.Selector {
	t.Helper()
	parsed, err := registry.ParseSelector(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func (s *suite) listDevices(application string, q store.Query) []string {
	s.t.Helper()
	devices, err := s.Devices(s.t.Context(), application, s.tenant(application).UID, q)
	if err != nil {
		s.t.Fatal(err)
	}
	names := []string{}
	for _, d := range devices {
		names = append(names, d.Metadata.Name)
	}
	return names
}

func (s *suite) listApplications(reader store.Reader, q store.Query) []string {
	s.t.Helper()
	applications, err := s.Applications(s.t.Context(), reader, q)
	if err != nil {
		s.t.Fatal(err)
	}
	names := []string{}
	for _, a := range applications {
		names = append(names, a.Metadata.Name)
	}
	return names
}

func matching(all []labelled, by registry.Selector) []string {
	names := []string{}
	for _, l := range all {
		if by.Matches(l.labels) {
			names = append(names, l.name)
		}
	}
	slices.Sort(names)
	return names
}

// The database finds what registry.Selector says.
func testSelectors(t *testing.T, s *suite) {
	const documents, selectors = 40, 120
	random := rand.New(rand.NewPCG(1, 2))
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyApplication(`{"metadata":{"name":"other"}}`)
	var devices, applications []labelled
	for i := range documents {
		d := labelled{fmt.Sprintf("d%d", i), randomLabels(random)}
		a := labelled{fmt.Sprintf("a%d", i), randomLabels(random)}
		s.applyDevice(d.document("app"))
		s.applyDevice((&labelled{"other-" + d.name, d.labels}).document("other"))
		s.applyApplication(a.document(""))
		devices, applications = append(devices, d), append(applications, a)
	}
	applications = append(applications, labelled{name: "app"}, labelled{name: "other"})
	for range selectors {
		text := randomSelector(random)
		by := selector(t, text)
		if got, want := s.listDevices("app", store.Query{Selector: by}), matching(devices, by); !slices.Equal(got, want) {
			t.Errorf("devices by %q: %q, want %q", text, got, want)
		}
		if got, want := s.listApplications(store.Reader{All: true}, store.Query{Selector: by}), matching(applications, by); !slices.Equal(got, want) {
			t.Errorf("applications by %q: %q, want %q", text, got, want)
		}
	}
}

func testPages(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	names := []string{"", "A", "B", "a", "a-b", "a/b", "ab", "b", "z", "é"}[1:] // by their bytes
	for i := range names {
		name := names[len(names)-1-i]
		s.applyDevice(fmt.Sprintf(`{"metadata":{"name":%q,"application":"app","labels":{"k":"v"}},"spec":{"s":%q}}`, name, name))
	}
	f := func(q store.Query, want ...string) {
		t.Helper()
		for _, text := range []string{"", "k", "k=v", "k in (v, w)", "!none"} {
			q.Selector = selector(t, text)
			if got := s.listDevices("app", q); !slices.Equal(got, want) {
				t.Errorf("%+v: %q, want %q", q, got, want)
			}
		}
	}
	f(store.Query{}, names...)
	f(store.Query{Limit: 3}, names[:3]...)
	f(store.Query{Limit: 3, Offset: 2}, names[2:5]...)
	f(store.Query{Offset: 7}, names[7:]...)
	f(store.Query{Offset: 100})
	f(store.Query{Offset: -1, Limit: -1}, names...)
	f(store.Query{After: "a", Limit: 2}, "a-b", "a/b")
	f(store.Query{After: "a", Offset: 1, Limit: 2}, "a/b", "ab")
	f(store.Query{After: "é"})
	f(store.Query{Limit: store.MaxPage + 1}, names...)

	devices, err := s.Devices(t.Context(), "app", s.tenant("app").UID, store.Query{Limit: 1})
	if err != nil || string(devices[0].Spec["s"]) != `"A"` || devices[0].Metadata.Application != "app" || devices[0].Metadata.UID == "" {
		t.Errorf("a listed document: %+v, %v", devices, err)
	}
	for _, other := range [][2]string{{"app", "another"}, {"none", s.tenant("app").UID}, {"\xff", ""}} {
		if devices, err := s.Devices(t.Context(), other[0], other[1], store.Query{}); err != nil || len(devices) > 0 {
			t.Errorf("devices of application %q: %v, %v", other, devices, err)
		}
	}
}

func testLabelsFollow(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app","labels":{"k":"v"}}}`)
	f := func(text string, want ...string) {
		t.Helper()
		if got := s.listDevices("app", store.Query{Selector: selector(t, text)}); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	s.applyDevice(`{"metadata":{"name":"d","application":"app","labels":{"a":"1","b":"2"}}}`)
	s.applyDevice(`{"metadata":{"name":"e","application":"app","labels":{"a":"1"},"finalizers":["f"]}}`)
	f("a=1", "d", "e")
	s.applyDevice(`{"metadata":{"name":"d","application":"app","labels":{"b":"3","c":"4"}}}`)
	f("a", "e")
	f("b=2")
	f("b=3,c=4,!a", "d")
	s.deleteDevice("app", "d")
	f("b")
	s.deleteDevice("app", "e") // which is still there, with its labels
	f("a=1", "e")
	s.applyDevice(`{"metadata":{"name":"e","application":"app"}}`)
	f("a=1")
	s.applyDevice(`{"metadata":{"name":"d","application":"app"}}`)
	f("", "d")
	f("a")
	s.deleteApplication("app")
	if got := s.listApplications(store.Reader{All: true}, store.Query{Selector: selector(t, "k")}); len(got) > 0 {
		t.Errorf("applications with a label after their deletion: %q", got)
	}
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	if got := s.listApplications(store.Reader{All: true}, store.Query{Selector: selector(t, "!k")}); !slices.Equal(got, []string{"app"}) {
		t.Errorf("applications without the label: %q", got)
	}
}

// A list has what user.Decide lets its reader read.
func testReaders(t *testing.T, s *suite) {
	owners := []string{"", "alice", "bob"}
	members := []map[string]string{
		nil, {"": "reader"}, {"alice": "reader"}, {"bob": "manager", "carol": "admin"}, {"": "admin", "bob": "reader"},
	}
	var all []user.Access
	for i, owner := range owners {
		for j, roles := range members {
			name := fmt.Sprintf("app-%d-%d", i, j)
			if _, err := s.CreateApplication(t.Context(), application(t, fmt.Sprintf(`{"metadata":{"name":%q}}`, name)), owner); err != nil {
				t.Fatal(err)
			}
			access := user.Access{Application: name, Owner: owner, Members: map[string]user.Role{}}
			for member, role := range roles {
				access.Members[member] = user.Role(role)
			}
			s.setMembers(name, roles)
			all = append(all, access)
		}
	}
	narrow := user.Scope{Applications: []string{"app-1-0", "app-1-1", "app-2-0", "none"}}
	for _, identity := range []user.Identity{
		{}, {ID: "alice"}, {ID: "bob"}, {ID: "carol"}, {ID: "dave"}, {ID: "root", Admin: true}, {ID: "part", Service: true},
		{ID: "alice", Scope: narrow}, {ID: "root", Admin: true, Scope: narrow},
	} {
		want := []string{}
		for _, access := range all {
			if user.Decide(&identity, access, user.Read) {
				want = append(want, access.Application)
			}
		}
		reader := store.Reader{All: identity.Admin || identity.Service, User: identity.ID, Only: identity.Scope.Applications}
		if got := s.listApplications(reader, store.Query{}); !slices.Equal(got, want) {
			t.Errorf("%+v lists %q, want %q", identity, got, want)
		}
		if len(want) > 1 {
			if got := s.listApplications(reader, store.Query{Offset: 1, Limit: 1}); !slices.Equal(got, want[1:2]) {
				t.Errorf("%+v lists %q as second, want %q", identity, got, want[1:2])
			}
		}
	}
}
