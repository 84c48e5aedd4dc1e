package main

import (
	"strings"
)

func completing(s *shell) {
	f := func(want string, words ...string) {
		s.t.Helper()
		s.t.Setenv("FAIRLEAD_CONFIG", s.config)
		out, _ := s.do(append([]string{"__complete", "--"}, words...)...)
		var got []string
		for line := range strings.Lines(out) {
			word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			got = append(got, word)
		}
		if strings.Join(got, " ") != want {
			s.t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
	f("dev deadletters device", "de")
	f("create get list edit delete", "device", "")
	f("app device", "label", "")
	f("d", "label", "device", "-a", "house", "")
	f("shop", "label", "app", "sh")
	f("dev", "context", "rename", "")
	f("--dry-run", "apply", "--dr")
	f("--selector", "device", "list", "--sel")
	f("table", "device", "list", "-o", "t")
	f("--output=json", "device", "list", "--output=j")
	f("--output=json", "device", "list", "--output", "=", "j")
	f("shop", "app", "get", "s")
	f("shop", "device", "list", "-a", "s")
	f("edited eui-0004a30b001c0530", "device", "get", "e")
	f("d", "device", "get", "--app", "house", "")
	f("", "device", "get", "--app", "nowhere", "")
	f("device1", "set", "password", "device")
	f("", "app", "get", "shop", "")
	f("shop", "app", "delete", "house", "sh")
	f("reader", "member", "create", "dev", "r")
	f("dev", "context", "use", "")
	f("bash zsh fish", "completion", "")
	f("", "app", "get", "--", "--o")
	f("", "nonsense", "--context", "no", "x")
	for _, name := range []string{"bash", "zsh", "fish"} {
		if out, _ := s.do("completion", name); !strings.Contains(out, "fairlead __complete -- ") {
			s.t.Error(out)
		}
	}
}
