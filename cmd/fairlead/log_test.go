package main

import (
	"errors"
	"log/slog"
	"testing"
)

func TestLines(t *testing.T) {
	f := func(say func(*slog.Logger), want string) {
		t.Helper()
		got := ""
		say(slog.New(&lineHandler{write: func(line string) { got += line }}))
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(func(l *slog.Logger) { l.Info("plain") }, "plain")
	f(func(l *slog.Logger) { l.Debug("nobody asked") }, "")
	f(func(l *slog.Logger) { l.Warn("w", "n", 1, "text", "two words") }, `warning: w n=1 text="two words"`)
	f(func(l *slog.Logger) { l.With("a", "b").Error("e", "error", errors.New("broken")) }, `error: e a=b error=broken`)
	f(func(l *slog.Logger) { l.WithGroup("g").With("a", 1).Info("m", "b", "\x1b[2J") }, `m g.a=1 g.b="\x1b[2J"`)
	f(func(l *slog.Logger) { l.Info("a\x1b[2Jb") }, "a·[2Jb")
}
