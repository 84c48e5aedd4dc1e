package functionbin

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ceilings are the versions that the scaffolding of Knative's func command line (func-go v0.22) brings along. With a newer
// one in go.mod, `func build` stops with "updates to go.mod needed"; see docs/decisions/0001.
var ceilings = map[string]string{
	"github.com/cloudevents/sdk-go/v2": "v2.16.2",
	"github.com/klauspost/compress":    "v1.18.6",
	"github.com/mattn/go-colorable":    "v0.1.15",
	"github.com/mattn/go-isatty":       "v0.0.23",
	"github.com/pierrec/lz4/v4":        "v4.1.26",
	"github.com/rs/zerolog":            "v1.35.1",
	"go.uber.org/zap":                  "v1.27.0",
	"golang.org/x/crypto":              "v0.53.0",
	"golang.org/x/net":                 "v0.56.0",
	"golang.org/x/sys":                 "v0.47.0",
}

func TestVersionsStayBelowTheScaffolding(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	requirement := regexp.MustCompile(`(?m)^\t(\S+) (v\d+\.\d+\.\d+)\b`)
	found := 0
	for _, match := range requirement.FindAllStringSubmatch(string(text), -1) {
		module, version := match[1], match[2]
		ceiling, limited := ceilings[module]
		if !limited {
			continue
		}
		found++
		if slices.Compare(numbers(t, version), numbers(t, ceiling)) > 0 {
			t.Errorf("go.mod requires %s %s, newer than %s: func build would fail", module, version, ceiling)
		}
	}
	if found < 6 {
		t.Errorf("only %d of the limited modules are in go.mod: is it read as it should be?", found)
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
