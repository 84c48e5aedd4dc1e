package main

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/cloud"
	"github.com/fairlead/fairlead/test/neighbour"
)

func contextsOf(s *shell) {
	s.prints("user\tdev\nid\tdev\ncontext\tdev\nurl\t"+s.note.API+"\n", "whoami")
	second := strings.TrimSpace(s.note.Account.AccessToken)
	s.do("login", s.note.API, "--context", "second", "--access-token", second, "--user", "dev")
	s.prints("\tdev\t"+s.note.API+"\texample-app\n*\tsecond\t"+s.note.API+"\t\n", "context", "list")
	s.fails("which application?", "device", "list")
	s.do("device", "list", "--context", "dev")
	s.do("context", "use", "dev")
	s.fails(`a context "dev" already`, "context", "rename", "second", "dev")
	s.fails(`no context "third"`, "context", "rename", "third", "fourth")
	s.fails("begins with a letter", "context", "rename", "second", "a/b")
	s.do("context", "rename", "dev", "first")
	s.do("context", "rename", "second", "2nd")
	s.prints("\t2nd\t"+s.note.API+"\t\n*\tfirst\t"+s.note.API+"\texample-app\n", "context", "list")
	s.do("context", "rename", "first", "dev")
	s.do("context", "rename", "2nd", "second")
	s.do("context", "delete", "second")
	s.fails(`no context "second"`, "context", "use", "second")
	s.fails("begins with a letter", "login", s.note.API, "--context=-x/", "--access-token", second)
	info, err := os.Stat(s.config)
	if err != nil || info.Mode().Perm() != 0o600 {
		s.t.Errorf("%v, %v", info.Mode(), err)
	}
	s.do("logout")
	s.fails("log in with", "app", "list")
	s.fails("like https://", "login", "127.0.0.1:8081")
}

// Whoever mistakes the port, or holds a token that is of no use any longer, hears what to do.
func TestLoginTellsWhatToDo(t *testing.T) {
	s := development(t)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + nobody.Addr().String()
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	for _, way := range [][]string{{"--no-browser"}, {"--access-token", "x"}} {
		for address, want := range map[string]string{
			s.note.HTTP:           "Is it the right port?",
			s.note.Account.Issuer: "Is it the right port?",
			"http://" + strings.TrimPrefix(s.note.MQTT, "mqtt://"): "It does not speak HTTP",
			closed: "Nobody listens there",
			strings.Replace(s.note.API, "http://", "https://", 1): "try " + s.note.API,
		} {
			s.fails(want, append([]string{"login", address}, way...)...)
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	usual := answerTimeout
	answerTimeout = time.Millisecond
	for _, way := range [][]string{{"--no-browser"}, {"--access-token", "x"}} {
		s.fails("Nothing is answered there", append([]string{"login", "http://" + silent.Addr().String()}, way...)...)
	}
	answerTimeout = usual
	s.fails("in dev.json", "login", s.note.API, "--access-token", "drg_012345_01234567890123456789012345678920BetF")

	// The token of the context is withdrawn.
	token, _ := s.do("token", "create")
	s.do("login", s.note.API, "--context", "short", "--access-token", strings.TrimSpace(token))
	s.do("token", "delete", strings.TrimSpace(token), "--context", "dev")
	for _, line := range [][]string{{"app", "list"}, {"whoami"}, {"apply", "-f", "-"}, {"app", "delete", "x"}} {
		s.fails("log in with a new one: fairlead login "+s.note.API+" --context short --access-token -", line...)
	}
}

// A log-in with a browser goes all the way: the provider's page, the way back to the command, and calls with the token.
func TestLoginWithBrowser(t *testing.T) {
	s := development(t)
	var out, errors log
	var status int
	var running sync.WaitGroup
	running.Go(func() {
		status = run(t.Context(), "fairlead", []string{"login", s.note.API, "--no-browser", "--config", s.config}, terminal{out: &out, err: &errors})
	})
	var address string
	neighbour.Eventually(t, "the address to go to", func() bool {
		address = regexp.MustCompile(`http://\S+/authorize\S+`).FindString(errors.String())
		return address != ""
	})
	page := visit(t, address, url.Values{"username": {s.note.Account.User}, "password": {s.note.Account.Password}})
	running.Wait()
	if status != 0 || !strings.Contains(page, "You are logged in") || !strings.Contains(errors.String(), "as dev, context 127.0.0.1-") {
		t.Fatalf("status %d, %s, the browser shows %q", status, errors.String(), page)
	}
	s.do("app", "create", "mine")
	if out, _ := s.do("whoami"); !strings.Contains(out, "user\tdev\nid\tdev\n") {
		t.Error(out)
	}

	// The token has ended: a new one is fetched, and kept.
	expire(t, s.config)
	s.do("app", "get", "mine")
	expire(t, s.config)
	s.do("app", "get", "mine")
	forget(t, s.config)
	s.fails("log in again", "app", "get", "mine")
}

// visit goes to a page with a form, sends the form, and gives the page behind it.
func visit(t *testing.T, address string, form url.Values) string {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	form.Set("id", response.Request.URL.Query().Get("id"))
	response, err = http.PostForm(response.Request.URL.String(), form)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func expire(t *testing.T, path string) {
	t.Helper()
	change(t, path, func(l *cloud.Login) { l.Token, l.Expires = "ended", l.Expires.AddDate(-1, 0, 0) })
}

func forget(t *testing.T, path string) {
	t.Helper()
	change(t, path, func(l *cloud.Login) { l.Expires, l.RefreshToken = l.Expires.AddDate(-1, 0, 0), "unknown" })
}

func change(t *testing.T, path string, do func(*cloud.Login)) {
	t.Helper()
	contexts, err := cloud.LoadContexts(path)
	if err != nil {
		t.Fatal(err)
	}
	_, current, err := contexts.Get("")
	if err != nil {
		t.Fatal(err)
	}
	do(current.Login)
	if err := contexts.Save(); err != nil {
		t.Fatal(err)
	}
}

func TestLoginWithCode(t *testing.T) {
	s := development(t)
	var out, errors log
	var status int
	var running sync.WaitGroup
	running.Go(func() {
		status = run(t.Context(), "fairlead", []string{"login", s.note.API, "--device", "--context", "code", "--config", s.config}, terminal{out: &out, err: &errors})
	})
	var code string
	neighbour.Eventually(t, "the code to type", func() bool {
		found := regexp.MustCompile(`the code (\S+) at`).FindStringSubmatch(errors.String())
		if len(found) == 2 {
			code = found[1]
		}
		return code != ""
	})
	visit(t, s.note.Account.Issuer+"/device", url.Values{"user_code": {code}, "username": {s.note.Account.User}, "password": {s.note.Account.Password}})
	running.Wait()
	if status != 0 {
		t.Fatal(errors.String())
	}
	if out, _ := s.do("whoami"); !strings.Contains(out, "context\tcode\n") {
		t.Error(out)
	}
}
