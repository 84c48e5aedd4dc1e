//go:build integration

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	packets5 "github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/fairlead/fairlead/test/neighbour"
)

// TestAReusedNameInheritsNoEvents deletes an application through the API and makes one of the same name.
func TestAReusedNameInheritsNoEvents(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		a := s.tenant(t)
		url, login := s.http+"/v1/", "device@"+a.name+":"
		s.device(a, "device", password("p"))
		accepted(t, "before", post(t, url+"before", login+"p", "x"))
		a.only()
		s.manage(t, "DELETE", "/"+a.name, "")
		s.manage(t, "POST", "", `{"metadata":{"name":`+quote(a.name)+`}}`)
		s.device(a, "device", password("q"))
		neighbour.Eventually(t, "the device of the new application to be admitted", func() bool {
			return post(t, url+"after", login+"q", "x").status == http.StatusAccepted
		})
		neighbour.Eventually(t, "the new event to be stored", func() bool { return len(a.records()) > 0 })
		for _, r := range a.records() {
			if r.headers["ce_subject"] != "after" {
				t.Errorf("the new application has an event in %s", r.headers["ce_subject"])
			}
		}
	})
}

// TestNoDeadLetterTellsAPassword has a subscriber with a password in its URL refuse an event, whose dead letter is looked at.
func TestNoDeadLetterTellsAPassword(t *testing.T) {
	subscriber := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) }))
	t.Cleanup(subscriber.Close)
	sink, arrived := delivered(t)
	address := strings.Replace(subscriber.URL, "http://", "http://user:s3cret@", 1)
	triggers := t.TempDir()
	manifest := "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t}\nspec:\n  broker: example-app\n" +
		"  subscriber: {uri: '" + address + "'}\n  delivery: {retry: 0, deadLetterSink: {uri: '" + sink + "'}}\n"
	if err := os.WriteFile(filepath.Join(triggers, "t.yaml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	process, n := startDev(t, "--triggers", triggers)
	accepted(t, "the message", post(t, n.HTTP+"/v1/x", "device1@example-app:hey-rodney", "x"))
	select {
	case letter := <-arrived:
		if all := fmt.Sprint(letter.header, letter.event); letter.header.Get("Ce-Knativeerrorcode") != "418" || strings.Contains(all, "s3cret") {
			t.Errorf("the dead letter is %s", all)
		}
	case <-time.After(waitLimit):
		t.Error("there is no dead letter")
	}
	if said, err := os.ReadFile(process.LogPath()); err != nil || contains(string(said), "s3cret") {
		t.Errorf("the terminal says %s, %v", said, err)
	}
}

// TestWhoMayAskTheAuthenticationEndpoint asks that of `fairlead dev` as another program of the machine would, and a web page
// that has its name lead here.
func TestWhoMayAskTheAuthenticationEndpoint(t *testing.T) {
	_, n := startDev(t)
	token := "Authorization: Bearer " + n.AuthToken
	for _, ask := range []struct{ operation, question string }{
		{"auth", `{"application":"example-app","device":"device1","credential":{"pass":"hey-rodney"}}`},
		{"keys", `{"application":"example-app","device":"device1"}`},
	} {
		f := func(what string, want int, headers ...string) {
			t.Helper()
			arguments := []string{"--header", "Content-Type: " + jsonContent}
			for _, header := range headers {
				arguments = append(arguments, "--header", header)
			}
			got := curl(t, []byte(ask.question), append(arguments, n.Auth+"/api/v1/"+ask.operation)...)
			if got.status != want || want != 200 && strings.Contains(got.body, "aGV5LXJvZG5leQ") {
				t.Errorf("%s, %s: %d %s, want %d", ask.operation, what, got.status, got.body, want)
			}
		}
		f("with the token", 200, token)
		f("without the token", 401)
		f("with another token", 403, "Authorization: Bearer x")
		f("under another name", 421, token, "Host: page.example")
	}
}

// TestNobodyReadsTheEmbeddedRedis asks it for documents of the registry, which hold pre-shared keys, as another program of the machine would,
// and as a web page could.
func TestNobodyReadsTheEmbeddedRedis(t *testing.T) {
	_, n := startDev(t)
	accepted(t, "a message", post(t, n.HTTP+"/v1/x", "device1@example-app:hey-rodney", "x"))
	u, err := url.Parse(n.Redis)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(url string, arguments ...string) string {
		t.Helper()
		output, err := exec.CommandContext(bounded(t), "redis-cli", append([]string{"--no-auth-warning", "-u", url}, arguments...)...).CombinedOutput()
		if err != nil {
			t.Logf("redis-cli: %v", err)
		}
		return string(output)
	}
	const script = "local all = '' for _, key in ipairs(redis.call('KEYS', '*')) do local value = redis.pcall('GET', key) " +
		"if type(value) == 'string' then all = all .. value end end return all"
	for _, question := range [][]string{{"KEYS", "*"}, {"EVAL", script, "0"}} {
		if answer := ask("redis://"+u.Host, question...); !strings.Contains(answer, "NOAUTH") {
			t.Errorf("without the password, %v is answered with %q", question, answer)
		}
	}
	if answer := ask(n.Redis, "EVAL", script, "0"); !strings.Contains(answer, "hey-rodney") {
		t.Errorf("with the password: %q; then the test looks for the wrong thing", answer)
	}
}

// TestNothingIsRetained has Paho say what CONNACK told it.
func TestNothingIsRetained(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("device", password("p"))
	client := paho.NewClient(paho.ClientConfig{Conn: packets5.NewThreadSafeConn(dial5(t, g, "tcp://"+g.tcp))})
	answer, err := client.Connect(bounded(t), &paho.Connect{
		ClientID: "x", CleanStart: true, KeepAlive: 30, UsernameFlag: true, Username: "device@" + a.name, PasswordFlag: true, Password: []byte("p"),
	})
	if err != nil || answer.Properties.RetainAvailable {
		t.Errorf("CONNACK %+v, %v", answer, err)
	}
	_ = client.Disconnect(&paho.Disconnect{})
}

// TestCoAPSpeaksOnlyForItself has coap-client send an event of another device in every form that CoAP has for it.
func TestCoAPSpeaksOnlyForItself(t *testing.T) {
	s := startCoAP(t)
	a := newTenant(t)
	a.device("d", password("p"))
	for _, format := range []string{"0", "42", "50", "60", "11050", "11060", "19999", "65001"} {
		coapClient(t, "notls", append(authorization("d@"+a.name, "p"), "-m", "post", "-t", format, "-e", forgery, s.plain("/v1/x"))...)
	}
	stored := a.records()
	if len(stored) == 0 {
		t.Error("nothing is stored")
	}
	for _, r := range stored {
		if r.headers["ce_device"] != "d" || r.headers["ce_application"] != a.name || strings.HasPrefix(r.headers["content-type"], "application/cloudevents") {
			t.Errorf("stored %v", r.headers)
		}
	}
}
