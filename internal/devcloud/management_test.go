package devcloud

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/devcloud/identity"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/user"
)

// ask sends a request to the API with a token.
func ask(t *testing.T, d *Dev, token, method, path, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, d.Note().API+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// An application that is made through the API can be used at once: it has a topic, and its devices are admitted.
func TestManagement(t *testing.T) {
	d := start(t, anywhere())
	token := d.Note().Account.AccessToken
	f := func(token, method, path, body string, want int) {
		t.Helper()
		if status, answer := ask(t, d, token, method, path, body); status != want {
			t.Errorf("%s %s: %d %s, want %d", method, path, status, answer, want)
		}
	}
	const apps = "/api/registry/v1alpha1/apps"
	f(token, "POST", apps, `{"metadata":{"name":"mine"}}`, 201)
	f(token, "POST", apps+"/mine/devices", `{"metadata":{"name":"d","application":"mine"},"spec":{"authentication":{"credentials":[{"pass":"hey"}]}}}`, 201)
	if status := post(t, d.Note().HTTP+"/v1/x", "d@mine", "hey", `{}`); status != 202 {
		t.Errorf("the device posts: %d", status)
	}
	f(token, "PUT", apps+"/mine/devices/d", `{"metadata":{"name":"d","application":"mine"},"spec":{"core":{"disabled":true}}}`, 204)
	if status := post(t, d.Note().HTTP+"/v1/x", "d@mine", "hey", `{}`); status != 403 {
		t.Errorf("the device posts after it was disabled: %d", status)
	}
	f("", "POST", apps, `{"metadata":{"name":"other"}}`, 403)
	f("", "GET", apps+"/mine", "", 403)
	f(token, "GET", apps+"/example-app", "", 200)
	// Changes of different resources are told in any order.
	if got := changesOf(t, d, "mine"); len(got) < 3 || !slices.Contains(got, "io.drogue.registry.change.application .") {
		t.Errorf("change events: %q", got)
	}
}

// changesOf reads the first three events about an application from the topic of changes.
func changesOf(t *testing.T, d *Dev, application string) (got []string) {
	t.Helper()
	c := kafka.DefaultConfig()
	c.Brokers = d.Note().Kafka
	client, err := kafka.NewClient(c, kgo.ConsumeTopics("registry"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for len(got) < 3 {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			headers := map[string]string{}
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			if headers["ce_application"] == application {
				got = append(got, headers["ce_type"]+" "+headers["ce_subject"])
			}
		})
	}
	return got
}

func TestServiceAccount(t *testing.T) {
	d := start(t, anywhere())
	account := d.Note().Account
	source, err := user.NewSource(user.SourceConfig{
		TokenURL: account.Issuer + "/oauth/token", ClientID: account.Service, ClientSecret: account.ServiceSecret, Timeout: user.DefaultSourceConfig().Timeout,
	})
	if err != nil {
		t.Fatal(err)
	}
	token, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := ask(t, d, token, "GET", "/api/admin/v1alpha1/user/whoami", ""); status != 200 || !strings.Contains(answer, identity.Services) {
		t.Errorf("%d %s", status, answer)
	}
	// A service writes what others cannot.
	const app = "/api/registry/v1alpha1/apps/example-app"
	body := `{"metadata":{"name":"example-app"},"status":{"mine":{"ready":true}}}`
	if status, answer := ask(t, d, token, "PUT", app, body); status != 204 {
		t.Errorf("%d %s", status, answer)
	}
	if _, answer := ask(t, d, account.AccessToken, "GET", app, ""); !strings.Contains(answer, `"mine":{"ready":true}`) {
		t.Error(answer)
	}
}

// What a data folder is used again for: the same password, another access token.
func TestAccountIsKept(t *testing.T) {
	c := anywhere()
	c.Data = t.TempDir()
	first, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	before := *first.Note().Account
	stop(t, first)
	second := start(t, c)
	after := second.Note().Account
	if after.Password != before.Password || after.ServiceSecret != before.ServiceSecret || after.AccessToken == before.AccessToken || len(after.Password) < 16 {
		t.Errorf("the account was %d characters and is %d", len(before.Password), len(after.Password))
	}
	for token, want := range map[string]int{before.AccessToken: 403, after.AccessToken: 200} {
		if status, answer := ask(t, second, token, "GET", "/api/tokens/v1alpha1", ""); status != want || strings.Count(answer, "prefix") > 1 {
			t.Errorf("%d %s, want %d", status, answer, want)
		}
	}
}

func TestIdentityStaysOnThisMachine(t *testing.T) {
	c := anywhere()
	c.Identity = "0.0.0.0:0"
	if d, err := Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), "--identity") {
		t.Error(err)
		stop(t, d)
	}
}

func TestAnotherIssuer(t *testing.T) {
	other := start(t, anywhere())
	c := anywhere()
	c.Issuer = other.Note().Account.Issuer
	d := start(t, c)
	account := d.Note().Account
	if account.Issuer != c.Issuer || account.Password != "" || account.AccessToken != "" || account.ServiceSecret != "" {
		t.Errorf("the account is of %s, with secrets", account.Issuer)
	}
	form := map[string][]string{"grant_type": {"client_credentials"}, "client_id": {identity.Services}, "client_secret": {other.Note().Account.ServiceSecret}}
	response, err := http.PostForm(c.Issuer+"/oauth/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(string(text), `"access_token":"`)
	token, _, _ = strings.Cut(token, `"`)
	if status, answer := ask(t, d, token, "GET", "/api/registry/v1alpha1/apps", ""); status != 200 {
		t.Errorf("with a token of the other provider: %d %s", status, answer)
	}
	c.Issuer = "http://192.0.2.1"
	if d, err := Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), "--issuer") {
		t.Error(err)
		stop(t, d)
	}
}

func TestWithoutManagement(t *testing.T) {
	c := anywhere()
	c.API = ""
	d := start(t, c)
	if d.Note().Account != nil || d.Note().API != "" {
		t.Errorf("%+v", d.Note())
	}
	c = anywhere()
	c.Identity = ""
	if d, err := Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), "--identity") {
		t.Error(err)
		stop(t, d)
	}
}
