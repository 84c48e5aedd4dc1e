//go:build integration

package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/internal/devcloud/receiver"
)

// A delivery is an event as a subscriber gets it.
type delivery struct {
	header http.Header
	event  cloudevents.Event // as the CloudEvents SDK reads it
}

// delivered runs a subscriber, and gives the URL of it and what arrives.
func delivered(t *testing.T) (address string, arrived <-chan delivery) {
	t.Helper()
	all := make(chan delivery, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		receiver.Handler(func(e cloudevents.Event) { all <- delivery{r.Header.Clone(), e} }).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, all
}

// TestAttributesInHeaders has attributes that HTTP cannot carry as they are delivered to a Trigger's subscriber, encoded as section
// 3.1.3.2 of the CloudEvents HTTP binding says. The SDK reads them as they stand there.
func TestAttributesInHeaders(t *testing.T) {
	address, arrived := delivered(t)
	triggers := t.TempDir()
	manifest := "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t}\nspec:\n  broker: example-app\n" +
		"  filter: {attributes: {type: io.drogue.event.v1}}\n  subscriber: {uri: '" + address + "'}\n"
	if err := os.WriteFile(filepath.Join(triggers, "t.yaml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	s := ownDev(t, "--triggers", triggers)
	for _, c := range []struct{ text, encoded string }{
		{"plain~text", "plain~text"},
		{`k` + "\u00fc" + `che "q" 100%`, "k%C3%BCche%20%22q%22%20100%25"},
		{"\u65e5\u672c \u20ac", "%E6%97%A5%E6%9C%AC%20%E2%82%AC"},
		{"\U0001f600", "%F0%9F%98%80"},
		{"%41 is no A", "%2541%20is%20no%20A"},
		{`back\slash, comma; <angle>`, `back\slash,%20comma;%20<angle>`},
	} {
		path := s.http + "/v1/" + url.PathEscape(c.text)
		accepted(t, c.text, post(t, path, "device1@example-app:hey-rodney", "x", mediaType("text/plain")...))
		expectAttribute(t, arrived, "subject", c.text, c.encoded)
		output, ok := mosquittoPub(t, s.mqtt, "device1@example-app", "hey-rodney", "-V", "mqttv5", "-q", "1", "-t", "x", "-m", "x",
			"-D", "PUBLISH", "user-property", "note", c.text)
		if !ok {
			t.Fatalf("%s: %s", c.text, output)
		}
		expectAttribute(t, arrived, "note", c.text, c.encoded)
	}
}

// expectAttribute checks the next event that arrives. Its partition key has a percent sign in any case.
func expectAttribute(t *testing.T, arrived <-chan delivery, name, text, encoded string) {
	t.Helper()
	var d delivery
	select {
	case d = <-arrived:
	case <-time.After(waitLimit):
		t.Fatalf("%q is not delivered", text)
	}
	read := map[string]any{"subject": d.event.Subject(), "note": d.event.Extensions()["note"]}[name]
	if got := d.header.Values("Ce-" + name); len(got) != 1 || got[0] != encoded || read != encoded {
		t.Errorf("%q: the header is %q, and the SDK reads %q; want %q", text, got, read, encoded)
	}
	if got, err := url.PathUnescape(encoded); err != nil || got != text {
		t.Errorf("%q is decoded as %q, %v", text, got, err)
	}
	if got := d.header.Get("Ce-Partitionkey"); got != "example%252Dapp/device1" {
		t.Errorf("the partition key is %q", got)
	}
	if err := d.event.Validate(); err != nil {
		t.Error(err)
	}
}
