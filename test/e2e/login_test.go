//go:build integration

package e2e

import (
	"encoding/base64"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/fairlead/fairlead/test/functionbin"
)

// sha512Crypt is what `openssl passwd -6 -salt saltstring baz` prints.
const sha512Crypt = "$6$saltstring$NpLy0CdqBLNilFlz7i8OPDUVtG2nK.tpXqZHsz5n0BdUsTW7dOllgmo67rOPU/fueBTUiX.z6HW4PbUxJV4tZ0"

// telemetries calls f for each way in which telemetry authenticates.
func telemetries(t *testing.T, f func(t *testing.T, telemetry *functionbin.Function)) {
	t.Run("embedded", func(t *testing.T) { f(t, here.telemetry) })
	t.Run("authentication function", func(t *testing.T) { f(t, here.remote) })
}

// basic is the argument for an Authorization header that curl would not write like this.
func basic(credentials string, encoding *base64.Encoding) []string {
	return []string{"--header", "Authorization: Basic " + encoding.EncodeToString([]byte(credentials))}
}

// user is the argument for a log-in.
func user(credentials string) []string { return []string{"--user", credentials} }

// devices fills an application with a device for each way to prove oneself with a password.
func devices(t *testing.T, a *tenant) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("bar"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	credentials := func(list string) string { return `{"authentication":{"credentials":[` + list + `]}}` }
	a.device("device1", password("foo"))
	a.device("device2", credentials(`{"user":{"username":"joe","password":"bar"}}`))
	a.device("device3", credentials(`{"user":{"username":"anna","password":{"plain":"baz"},"unique":true}}`))
	a.device("device4", credentials(`{"user":{"username":"device4","password":"qux"}}`))
	a.device("many", credentials(`{"pass":"one"},{"pass":"two"},{"user":{"username":"u","password":"three"}}`))
	a.device("at@home", password("p"))
	a.device("colon", password("a:b:c"))
	a.device("bcrypt", credentials(`{"pass":{"bcrypt":`+quote(string(hash))+`}}`))
	a.device("sha512", credentials(`{"pass":{"sha512":`+quote(sha512Crypt)+`}}`))
	a.device("old", `{"credentials":{"credentials":[{"pass":"legacy"}]}}`)
	a.device("named", `{"alias":["other name"],"authentication":{"credentials":[{"pass":"p"}]}}`)
}

func TestEveryWayToLogIn(t *testing.T) {
	telemetries(t, func(t *testing.T, telemetry *functionbin.Function) {
		a := newTenant(t)
		devices(t, a)
		in := func(user string) string { return user + "@" + a.name }
		application := "?application=" + a.name
		cases := []struct {
			query string
			login []string
			want  string
		}{
			// What Drogue Cloud's acceptance suite checks.
			{"", user(in("device1") + ":foo"), "device1"},
			{"?device=device2", user(in("joe") + ":bar"), "device2"},
			{application + "&device=device2", user("joe:bar"), "device2"},
			{"", user(in("anna") + ":baz"), "device3"},

			{application, user("device1:foo"), "device1"},
			{application, user("anna:baz"), "device3"},
			{application + "&device=device1", user("device1:foo"), "device1"},
			{"?device=device1", user(in("device1") + ":foo"), "device1"},
			{"?device=device3", user(in("anna") + ":baz"), "device3"},
			{"", user(in("device4") + ":qux"), "device4"},
			{"", user(in("many") + ":one"), "many"},
			{"", user(in("many") + ":two"), "many"},
			{"?device=many", user(in("u") + ":three"), "many"},
			{"", user(in("at%40home") + ":p"), "at@home"},
			{application, user("at@home:p"), "at@home"},
			{"", user(in("colon") + ":a:b:c"), "colon"},
			{"", basic(in("colon")+":a:b:c", base64.RawStdEncoding), "colon"},
			{"", user(in("bcrypt") + ":bar"), "bcrypt"},
			{"", user(in("sha512") + ":baz"), "sha512"},
			{"", user(in("old") + ":legacy"), "old"},
			{"", user(in("other%20name") + ":p"), "named"},
		}
		for i, c := range cases {
			arguments := append(append([]string{}, c.login...), telemetry.URL()+"/v1/"+channel(i)+c.query)
			accepted(t, c.query+" "+c.login[1], curl(t, []byte("x"), arguments...))
		}
		stored := a.bySubject()
		for i, c := range cases {
			if got := stored[channel(i)].headers["ce_device"]; got != c.want {
				t.Errorf("%s %s: device %q, want %q", c.query, c.login[1], got, c.want)
			}
		}
	})
}

func TestEveryRefusalOfALogInIsTheSame(t *testing.T) {
	telemetries(t, func(t *testing.T, telemetry *functionbin.Function) {
		a, other, off := newTenant(t), newTenant(t), newTenant(t)
		devices(t, a)
		other.device("device9", password("foo"))
		off.device("device1", password("foo"))
		off.specify(`{"core":{"disabled":true}}`)
		a.device("disabled", `{"core":{"disabled":true},"authentication":{"credentials":[{"pass":"foo"}]}}`)
		a.device("gateway", password("g"))
		a.device("bare", `{}`)
		in := func(user string) string { return user + "@" + a.name }
		application := "?application=" + a.name
		f := func(what, query string, login ...string) {
			t.Helper()
			refused(t, what, curl(t, []byte("x"), append(login, telemetry.URL()+"/v1/x"+query)...))
		}
		header := func(value string) []string { return []string{"--header", "Authorization: " + value} }

		f("no log-in", "")
		f("no log-in, with query", application+"&device=device1")
		f("no base64", "", header("Basic ***")...)
		f("nothing behind the scheme", "", header("Basic ")...)
		f("a scheme that only begins like it", "", header("Basics "+base64.StdEncoding.EncodeToString([]byte(in("device1")+":foo")))...)
		f("other scheme", "", header("Bearer abc")...)
		f("no colon", "", basic(in("device1"), base64.StdEncoding)...)
		f("no application", "", user("device1:foo")...)
		f("two headers", "", append(user(in("device1")+":wrong"), "--header", "Authorization: Basic eA==")...)
		f("not UTF-8", "", basic(in("device1")+":\xff", base64.StdEncoding)...)
		f("unknown application", "", user("device1@nowhere:foo")...)
		f("impossible application", "", user("device1@No Where:foo")...)
		f("unknown device", "", user(in("device0")+":foo")...)
		f("empty device", "", user(in("")+":foo")...)
		f("wrong password", "", user(in("device1")+":bar")...)
		f("empty password", "", user(in("device1")+":")...)
		f("device without credentials", "", user(in("bare")+":foo")...)
		f("wrong password against bcrypt", "", user(in("bcrypt")+":foo")...)
		f("the hash itself", "", user(in("sha512")+":"+sha512Crypt)...)
		f("user name that is not unique", "", user(in("joe")+":bar")...)
		f("password of a user alone", "", user(in("device2")+":bar")...)
		f("other user name", "?device=device1", user(in("joe")+":foo")...)
		f("wrong user name", application+"&device=device2", user("anna:bar")...)
		f("disabled device", "", user(in("disabled")+":foo")...)
		f("disabled application", "", user("device1@"+off.name+":foo")...)
		f("device of another application", "", user(in("device9")+":foo")...)
		f("application by query, device of another", application, user("device9:foo")...)
		f("other application in the query", "?application="+other.name, user(in("device1")+":foo")...)
		f("gateway without permission", "?as=device1", user(in("gateway")+":g")...)
		f("gateway for an unknown device", "?as=device0", user(in("gateway")+":g")...)
		f("gateway for a device of another application", "?as=device9", user(in("gateway")+":g")...)

		a.empty()
		other.empty()
		off.empty()
	})
}
