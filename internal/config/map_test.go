package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type entry struct {
	URL     string `doc:"address"`
	KeysURL string `doc:"address of the keys"`
	Depth   int    `doc:"number"`
}

func (e *entry) SetDefaults() { e.Depth = 3 }

func (e *entry) Validate() error {
	if e.URL == "" {
		return errors.New("url: is missing")
	}
	return nil
}

type mapped struct {
	Deep struct {
		Entries map[string]*entry `doc:"entries"`
	}
}

func TestLoadMap(t *testing.T) {
	var c mapped
	err := Load("X", []string{
		"X_DEEP_ENTRIES_CORP_URL=a", "X_DEEP_ENTRIES_CORP_KEYS_URL=b", "X_DEEP_ENTRIES_BIG_CLUSTER_URL=c", "X_DEEP_ENTRIES_BIG_CLUSTER_DEPTH=4",
	}, &c)
	if err := errors.Join(err, Validate("", &c)); err != nil {
		t.Fatal(err)
	}
	want := map[string]*entry{"corp": {"a", "b", 3}, "big-cluster": {"c", "", 4}}
	if diff := cmp.Diff(want, c.Deep.Entries); diff != "" {
		t.Error(diff)
	}
}

func TestLoadMapNamesTheBadField(t *testing.T) {
	f := func(variable, want string) {
		t.Helper()
		var c mapped
		err := errors.Join(Load("X", []string{variable}, &c), Validate("", &c))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%q) = %v, want an error with %q", variable, err, want)
		}
	}
	f("X_DEEP_ENTRIES_CORP_KEYS_URL=b", "deep.entries.corp.url: is missing")
	f("X_DEEP_ENTRIES_CORP_DEPTH=b", "deep.entries.corp.depth (X_DEEP_ENTRIES_CORP_DEPTH): not a whole number")
	f("X_DEEP_ENTRIES_CORP_DEEP=b", "X_DEEP_ENTRIES_CORP_DEEP is not a setting")
	f("X_DEEP_ENTRIES_URL=b", "X_DEEP_ENTRIES_URL is not a setting")
}

func TestMarkdownShowsWhatAnEntryHas(t *testing.T) {
	text := Markdown(Settings("X", &mapped{}))
	if !strings.Contains(text, "| `X_DEEP_ENTRIES_<NAME>_DEPTH` | `3` | number |") {
		t.Error(text)
	}
}
