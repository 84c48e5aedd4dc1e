package functionbin

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// bounds hold for versions in go.mod because the scaffolding of Knative's func command line (func-go v0.22) copies our
// requirements beside its own: where ours is below what func-go asks for, or above what the scaffolding fixes, `func build` stops with
// "updates to go.mod needed". See docs/decisions/0001.
var bounds = map[string]struct{ least, most string }{
	"github.com/mattn/go-colorable": {"v0.0.0", "v0.1.15"},
	"github.com/mattn/go-isatty":    {"v0.0.0", "v0.0.23"},
	"github.com/rs/zerolog":         {"v0.0.0", "v1.35.1"},
	"golang.org/x/sys":              {"v0.0.0", "v0.47.0"},

	"github.com/cloudevents/sdk-go/v2": {"v2.16.2", "v2.16.2"},
	"github.com/klauspost/compress":    {"v1.18.6", "v1.18.6"},
	"github.com/pierrec/lz4/v4":        {"v4.1.27", "v4.1.27"},
	"go.uber.org/zap":                  {"v1.27.0", "v1.28.0"},
	"golang.org/x/net":                 {"v0.56.0", "v0.56.0"},
}

func TestVersionsFitTheScaffolding(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	requirement := regexp.MustCompile(`(?m)^\t(\S+) (v\d+\.\d+\.\d+)\b`)
	found := 0
	for _, match := range requirement.FindAllStringSubmatch(string(text), -1) {
		module, version := match[1], match[2]
		bound, limited := bounds[module]
		if !limited {
			continue
		}
		found++
		if slices.Compare(numbers(t, version), numbers(t, bound.least)) < 0 || slices.Compare(numbers(t, version), numbers(t, bound.most)) > 0 {
			t.Errorf("go.mod requires %s %s, not between %s and %s: func build would fail", module, version, bound.least, bound.most)
		}
	}
	if found < 6 {
		t.Errorf("only %d of the bounded modules are in go.mod: is it read as it should be?", found)
	}
}

func numbers(t *testing.T, version string) (parts []int) {
	t.Helper()
	for part := range strings.SplitSeq(strings.TrimPrefix(version, "v"), ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			t.Fatalf("version %s: %v", version, err)
		}
		parts = append(parts, n)
	}
	return parts
}
