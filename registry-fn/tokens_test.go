package registryfn

import (
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	w := newWorld(t)
	const tokens = "/api/tokens/v1alpha1"
	w.as("alice", "GET", tokens, "").want(t, 200, `[]`)
	first := w.as("alice", "POST", tokens+"?description=on+my+laptop", "")
	first.want(t, 200, `{"prefix":"*","token":"*"}`)
	secret, prefix := first.text(t, "token"), first.text(t, "prefix")
	if !strings.HasPrefix(secret, prefix+"_") || !strings.HasPrefix(prefix, "drg_") {
		t.Errorf("token %q with prefix %q", secret, prefix)
	}
	second := w.as("alice", "POST", tokens, `{"description":"for scripts","expires":"2099-01-02T03:04:05Z","scope":{"applications":["app-1"],"permission":"Read"}}`)
	second.want(t, 200, `{"prefix":"*","token":"*","expires":"2099-01-02T03:04:05Z"}`)
	w.as("bob", "POST", tokens, "").want(t, 200, "-")

	list := w.as("alice", "GET", tokens, "")
	list.want(t, 200, `[{"prefix":"`+prefix+`","created":"*","description":"on my laptop"},
		{"prefix":"`+second.text(t, "prefix")+`","created":"*","description":"for scripts","expires":"2099-01-02T03:04:05Z","scope":{"applications":["app-1"],"permission":"Read"}}]`)
	if strings.Contains(list.body, secret) {
		t.Error("the list has the token")
	}
	w.as("bob", "DELETE", tokens+"/"+prefix, "").want(t, 404, notFoundBody)
	w.as("alice", "DELETE", tokens+"/"+prefix, "").want(t, 204, "")
	w.as("alice", "DELETE", tokens+"/"+prefix, "").want(t, 404, notFoundBody)
	w.as("alice", "DELETE", tokens+"/drg_", "").want(t, 404, notFoundBody)
	w.as("alice", "GET", tokens, "").want(t, 200, `[{"prefix":"`+second.text(t, "prefix")+`","created":"*","description":"for scripts","expires":"2099-01-02T03:04:05Z","scope":{"applications":["app-1"],"permission":"Read"}}]`)

	for _, request := range []struct{ method, path string }{{"GET", tokens}, {"POST", tokens}, {"DELETE", tokens + "/" + prefix}} {
		w.as("", request.method, request.path, "").want(t, 403, deniedBody)
		w.as("reading", request.method, request.path, "").want(t, 403, `{"error":"Forbidden","message":"*"}`)
	}
	f := func(body string, document string) {
		t.Helper()
		w.as("alice", "POST", tokens, body).want(t, 400, document)
	}
	f(`{"expires":"2001-01-01T00:00:00Z"}`, `{"error":"InvalidRequest","message":"*"}`)
	f(`{"scope":{"applications":["Not A Name"]}}`, `{"error":"InvalidRequest","message":"*"}`)
	f(`{"scope":{"permission":"Everything"}}`, badRequestBody)
	f(`{"expires":"tomorrow"}`, badRequestBody)
	f(`{"lifetime":5}`, badRequestBody)
	f(`{"description":"a\u0000b"}`, `{"error":"InvalidRequest","message":"*"}`)
}
