package main

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
)

func accessTokens(s *shell) {
	token, _ := s.do("token", "create", "-d", "for a test", "--for", "24h", "-a", "shop", "--permission", "Read")
	token = strings.TrimSpace(token)
	out, _ := s.do("token", "list")
	var line string
	for candidate := range strings.Lines(out) {
		if strings.Contains(candidate, "for a test") {
			line = candidate
		}
	}
	if !regexp.MustCompile(`^` + token[:10] + `\t\d{4}-.*Z\t\d{4}-.*Z\tRead,shop\tfor a test\n$`).MatchString(line) {
		s.t.Errorf("%q", line)
	}
	narrow := &shell{t: s.t, note: s.note, config: filepath.Join(s.t.TempDir(), "contexts.yaml")}
	if status, _, e := narrow.run(token+"\n", "login", s.note.API, "--access-token", "-"); status != 0 {
		s.t.Fatal(e)
	}
	if out, _ := narrow.do("app", "list"); !strings.HasPrefix(out, "shop\t") || strings.Count(out, "\n") != 1 {
		s.t.Error(out)
	}
	narrow.fails("application shop: Not authorized", "app", "delete", "shop", "--yes")
	narrow.fails("application example-app: Not authorized", "app", "get", "example-app")
	narrow.fails("manages no access tokens", "token", "create")
	if out, _ := narrow.do("whoami", "--token"); strings.TrimSpace(out) != token {
		s.t.Error("whoami --token gives another one")
	}
	s.do("token", "delete", token)
	narrow.fails("Forbidden", "app", "list")
	s.fails("Not found", "token", "delete", "drg_000000")
	s.fails("must not be negative", "token", "create", "--for=-1h")
	s.fails("--permission", "token", "create", "--permission", "all")
	s.fails("not taken", "login", s.note.API, "--context", "x", "--access-token", "drg_012345_01234567890123456789012345678920BetF")
}

func membersOf(s *shell) {
	s.do("member", "create", "*", "reader", "-a", "shop")
	s.do("member", "add", "dev", "manager", "-a", "shop")
	s.prints("*\treader\ndev\tmanager\n", "member", "list", "-a", "shop")
	s.prints("manager\n", "member", "get", "dev", "-a", "shop")
	s.prints("USER  ROLE\n*     reader\ndev   manager\n", "member", "list", "-a", "shop", "-o", "table")
	s.fails("nobody is no member", "member", "get", "nobody", "-a", "shop")
	s.fails("does not exist", "member", "create", "nobody", "admin", "-a", "shop")
	s.fails("is no member", "member", "delete", "nobody", "-a", "shop")
	s.fails("role", "member", "create", "dev", "emperor", "-a", "shop")
	editor(s.t, `sed -i 's/role: manager/role: admin/' "$1"`)
	s.do("member", "edit", "-a", "shop")
	s.prints("admin\n", "member", "get", "dev", "-a", "shop")

	// Everybody may read now, logged in or not, and nobody write.
	response, err := http.Get(s.note.API + "/api/registry/v1alpha1/apps/shop")
	if err != nil {
		s.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		s.t.Errorf("anonymous reads a public application: %d", response.StatusCode)
	}
	s.do("member", "delete", "*", "dev", "-a", "shop")
	s.prints("", "member", "list", "-a", "shop")
}
