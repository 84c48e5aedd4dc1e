package integration

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/eclipse/paho.golang/paho"
	"github.com/google/go-cmp/cmp"

	commanding "github.com/fairlead/fairlead/internal/command"
)

// A commandFunction answers as the function that takes commands does.
func commandFunction(t *testing.T, got chan<- [6]string) string {
	t.Helper()
	return serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		got <- [6]string{r.URL.Path, h.Get("ce-type"), h.Get("ce-device"), h.Get("ce-subject"), h.Get("Content-Type"), string(body)}
		switch h.Get("ce-device") {
		case "unknown":
			w.WriteHeader(http.StatusNotAcceptable)
		case "away":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "asleep":
			w.Header().Set(commanding.HeaderReached, "0")
			w.WriteHeader(http.StatusAccepted)
		default:
			w.Header().Set(commanding.HeaderReached, "1")
			w.WriteHeader(http.StatusAccepted)
		}
	}))
}

// serveHTTP serves a handler until the test ends.
func serveHTTP(t *testing.T, h http.Handler) (url string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func TestCommands(t *testing.T) {
	got := make(chan [6]string, 10)
	w := newWorld(t, func(c *Config) { c.CommandURL = commandFunction(t, got) })
	s := w.subscriber("a", "ada", nil)
	f := func(topic string, want byte) {
		t.Helper()
		puback, err := s.Publish(t.Context(), &paho.Publish{
			Topic: topic, QoS: 1, Payload: []byte("on"), Properties: &paho.PublishProperties{ContentType: "text/plain"},
		})
		if puback == nil || puback.ReasonCode != want {
			t.Errorf("%s: PUBACK %+v, %v; want %#x", topic, puback, err, want)
		}
	}
	f("command/plant/lamp/switch", 0)
	if diff := cmp.Diff([6]string{"/plant", "io.drogue.command.v1", "lamp", "switch", "text/plain", "on"}, <-got); diff != "" {
		t.Error(diff)
	}
	f("COMMAND/plant/asleep/switch", 0x10)
	f("command/plant/unknown/switch", 0x99)
	f("command/plant/away/switch", 0x83)
	f("command/public/lamp/switch", 0x87) // may be read only
	f("command/nowhere/lamp/switch", 0x87)
	f("command/plant/lamp", 0x90)
	f("command/plant//switch", 0x90)
	f("command/plant/lamp/a/b", 0x90)

	conn := w.dial("/plant?token=ada")
	g := func(document, want string) {
		t.Helper()
		w.send(conn, document)
		same(t, w.read(conn), want)
	}
	const begin = `{"specversion":"1.0","id":"7","source":"/me","type":"io.drogue.command.v1","subject":"switch"`
	g(begin+`,"device":"lamp","data":{"on":true}}`, `{"Command":{"id":"7","outcome":"accepted","reached":1}}`)
	g(begin+`,"device":"unknown"}`, `{"Command":{"id":"7","outcome":"rejected","reached":0,"reason":"there is no such device, or it is disabled"}}`)
	g(begin+`,"device":"lamp","application":"public"}`, `{"Command":{"id":"7","outcome":"invalid","reached":0,"reason":"the event is for a device of another application"}}`)
	g(begin+`}`, `{"Command":{"id":"7","outcome":"invalid","reached":0,"reason":"a command needs an application, a device and a name"}}`)
	reader := w.dial("/public?token=ada")
	w.send(reader, begin+`,"device":"lamp"}`)
	same(t, w.read(reader), `{"Command":{"id":"7","outcome":"forbidden","reached":0,"reason":"there is no such application, or it may not be used"}}`)
}

func TestWithoutCommands(t *testing.T) {
	w := newWorld(t, nil)
	s := w.subscriber("a", "ada", nil)
	if puback, _ := s.Publish(t.Context(), &paho.Publish{Topic: "command/plant/lamp/switch", QoS: 1}); puback == nil || puback.ReasonCode != 0x83 {
		t.Errorf("%+v", puback)
	}
}
