package registry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSelector(t *testing.T) {
	f := func(text string, want ...Requirement) {
		t.Helper()
		got, err := ParseSelector(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(Selector(want), got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	is := func(key string, operator Operator, values ...string) Requirement {
		return Requirement{key, operator, values}
	}
	f("")
	f("  ")
	f("foo", is("foo", Exists))
	f("foo/bar", is("foo/bar", Exists))
	f("foo.baz/bar.baz", is("foo.baz/bar.baz", Exists))
	f("foo,!bar", is("foo", Exists), is("bar", NotExists))
	f("! foo", is("foo", NotExists))
	f("foo=bar,bar!=baz,foo/bar.baz = baz", is("foo", Equals, "bar"), is("bar", NotEquals, "baz"), is("foo/bar.baz", Equals, "baz"))
	f("foo in (bar, baz),foo notin (baz, bar)", is("foo", In, "bar", "baz"), is("foo", NotIn, "baz", "bar"))
	f("foo, foo in (bar, baz), foo notin (baz, bar)", is("foo", Exists), is("foo", In, "bar", "baz"), is("foo", NotIn, "baz", "bar"))
	f("foo=1", is("foo", Equals, "1"))
	f(" foo = bar , baz ", is("foo", Equals, "bar"), is("baz", Exists))
	f("in in(in)", is("in", In, "in"))
	f("notin notin (notin)", is("notin", NotIn, "notin"))
	f("information", is("information", Exists))
	f("foo in ()", is("foo", In))
	f("a_-.b=1_-.", is("a_-.b", Equals, "1_-."))
	f("1=2", is("1", Equals, "2"))
}

func TestParseSelectorRefuses(t *testing.T) {
	f := func(text string) {
		t.Helper()
		if got, err := ParseSelector(text); err == nil {
			t.Errorf("%q became %v", text, got)
		}
	}
	f("foo/bar/bar")
	f("foo/")
	f("/bar")
	f("foo-bar/baz")
	f("1.foo/baz")
	f("foo,#")
	f("foo,")
	f(",foo")
	f("!")
	f("!foo=bar")
	f("foo=")
	f("foo==bar")
	f("foo=-bar")
	f("foo!=")
	f("foo bar")
	f("foo in bar")
	f("foo in (")
	f("foo in (bar")
	f("foo in (bar,)")
	f("foo in (bar baz)")
	f("foo notin")
	f("_foo")
	f("föö")
	f("foo=bär")
	f("foo\x00")
	f("foo=a;b")
	f(strings.Repeat("a", MaxSelector+1))
	f(strings.Repeat("a,", MaxRequirements) + "a")
	f("a in (" + strings.Repeat("b,", MaxValues) + "b)")
}

func TestSelectorMatches(t *testing.T) {
	labels := map[string]string{"foo": "bar", "a.b/c": "", "n": "1"}
	f := func(text string, want bool) {
		t.Helper()
		s, err := ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Matches(labels); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
	f("", true)
	f("foo", true)
	f("a.b/c", true)
	f("none", false)
	f("!foo", false)
	f("!none", true)
	f("foo=bar", true)
	f("foo=baz", false)
	f("none=bar", false)
	f("foo!=bar", false)
	f("foo!=baz", true)
	f("none!=baz", false)
	f("foo in (x, bar)", true)
	f("foo in (x)", false)
	f("foo in ()", false)
	f("none in (x)", false)
	f("foo notin (x, bar)", false)
	f("foo notin (x)", true)
	f("foo notin ()", true)
	f("none notin (x)", false)
	f("foo=bar,n=1,!none", true)
	f("foo=bar,n=2", false)
}

func FuzzParseSelector(f *testing.F) {
	for _, seed := range []string{"", "foo", "!foo", "foo=bar,bar!=baz", "foo.baz/bar in (a, b),x notin (c)", "foo in (", ",", "in in (in)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelector(text)
		if err != nil {
			if s != nil {
				t.Fatalf("an error and %v", s)
			}
			return
		}
		again, err := ParseSelector(s.String())
		if err != nil {
			t.Fatalf("%q was written as %q: %v", text, s, err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Fatalf("%q (-first +second):\n%s", text, diff)
		}
	})
}
