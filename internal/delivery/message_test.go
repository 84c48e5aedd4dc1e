package delivery

import (
	"net/http"
	"testing"
)

func TestAttribute(t *testing.T) {
	f := func(field, want string) {
		t.Helper()
		h := http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Type": {"t"}, "Ce-Source": {"s"}, "Ce-Device": {field}}
		m, err := Read(h, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Attribute("device"); got != want {
			t.Errorf("%q is %q, want %q", field, got, want)
		}
	}
	f("d", "d")
	f("a%20b%25", "a b%")
	f("%E2%82%AC", "€")
	f("50%", "50%")
	f("a+b", "a+b")
}

func TestStructured(t *testing.T) {
	m, err := Read(http.Header{"Content-Type": {"application/cloudevents+json"}},
		[]byte(`{"specversion":"1.0","id":"1","type":"t","source":"s","subject":"on","device":"a b","datacontenttype":"text/plain","data_base64":"AA=="}`))
	if err != nil {
		t.Fatal(err)
	}
	if m.Attribute("subject") != "on" || m.Attribute("device") != "a b" || m.Header.Get("Content-Type") != "text/plain" || string(m.Body) != "\x00" {
		t.Errorf("%+v", m)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("application/json", "1.0", "id", `{"a":1}`)
	f.Add("application/cloudevents+json", "", "", `{"specversion":"1.0","id":"1","type":"t","source":"s","data_base64":"AA=="}`)
	f.Fuzz(func(t *testing.T, contentType, version, id, body string) {
		h := http.Header{"Content-Type": {contentType}, "Ce-Specversion": {version}, "Ce-Id": {id}, "Ce-Type": {"t"}, "Ce-Source": {"s"}, "Cookie": {"c"}}
		m, err := Read(h, []byte(body))
		if err != nil {
			return
		}
		if m.Header.Get("Ce-Id") == "" || m.Header.Get("Cookie") != "" {
			t.Errorf("%v", m.Header)
		}
	})
}
