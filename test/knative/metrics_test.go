package knative

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

// monitored is the overlay with alerts and dashboard.
const monitored = "site-example"

// foreign are metrics of others that are asked for: of Strimzi's exporter, and of Go's runtime.
var foreign = []string{"kafka_topic_partition_current_offset", "go_memory_used_bytes"}

var instrument = regexp.MustCompile(`^(?:Int64|Float64)(?:Observable)?(Counter|UpDownCounter|Gauge|Histogram)$`)

// metrics are the names under which Prometheus sees every metric that the code makes.
func metrics(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, root := range []string{"internal", "gateways", "functions", "registry-fn"} {
		err := filepath.WalkDir(filepath.Join("../..", root), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err == nil {
				names = append(names, metricsOf(file)...)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(names) < 60 {
		t.Fatalf("only %d metrics were found", len(names))
	}
	return names
}

// metricsOf looks for instruments that are made in a file, also by a function of the file that is given the name, or its end.
func metricsOf(file *ast.File) (names []string) {
	prefix, ends := "", []string{}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		if made, ok := call.Fun.(*ast.SelectorExpr); ok && instrument.MatchString(made.Sel.Name) {
			kind := instrument.FindStringSubmatch(made.Sel.Name)[1]
			if name, ok := text(call.Args[0]); ok {
				names = append(names, prometheusNames(name, unit(call), kind)...)
			} else if sum, ok := call.Args[0].(*ast.BinaryExpr); ok {
				prefix, _ = text(sum.X)
			}
			return true
		}
		helper, ok := call.Fun.(*ast.Ident)
		if !ok {
			return true
		}
		if name, ok := text(call.Args[0]); ok && helper.Name == "count" {
			ends = append(ends, name)
		}
		if len(call.Args) > 1 && helper.Name == "gauge" {
			if name, ok := text(call.Args[1]); ok {
				names = append(names, prometheusNames(name, "", "Gauge")...)
			}
		}
		return true
	})
	for _, end := range ends {
		names = append(names, prometheusNames(prefix+end, "", "Counter")...)
	}
	return names
}

func text(e ast.Expr) (string, bool) {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(literal.Value)
	return s, err == nil
}

// unit is what WithUnit says among the arguments of a call.
func unit(call *ast.CallExpr) string {
	for _, a := range call.Args[1:] {
		if option, ok := a.(*ast.CallExpr); ok {
			if s, ok := option.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "WithUnit" {
				u, _ := text(option.Args[0])
				return u
			}
		}
	}
	return ""
}

// prometheusNames are the series of a metric, by the rules of OpenTelemetry's exporter.
func prometheusNames(name, unit, kind string) []string {
	name = strings.ReplaceAll(name, ".", "_")
	switch unit {
	case "s":
		name += "_seconds"
	case "By":
		name += "_bytes"
	}
	switch kind {
	case "Counter":
		return []string{name + "_total"}
	case "Histogram":
		return []string{name + "_bucket", name + "_count", name + "_sum"}
	default:
		return []string{name}
	}
}

var named = regexp.MustCompile(`\b(?:fairlead|kafka|go)_[a-z_]+`)

// Every metric that an alert or the dashboard asks for is one that the code makes.
func TestMetricsExist(t *testing.T) {
	known := append(metrics(t), foreign...)
	asked := map[string]string{} // expressions, by where they stand
	for _, rule := range objects[*monitoringv1.PrometheusRule](t, monitored) {
		for _, group := range rule.Spec.Groups {
			for _, r := range group.Rules {
				asked["alert "+r.Alert] = r.Expr.String()
			}
		}
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal([]byte(configMaps(t, monitored)["fairlead-dashboard"]["fairlead.json"]), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			asked["panel "+p.Title+" "+target.RefID] = target.Expr
		}
	}
	if len(asked) < 25 {
		t.Fatalf("only %d expressions were found", len(asked))
	}
	for where, expression := range asked {
		names := named.FindAllString(expression, -1)
		if len(names) == 0 {
			t.Errorf("%s asks for nothing: %s", where, expression)
		}
		for _, name := range names {
			if !slices.Contains(known, name) {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
	}
}

// docs/operations.md says what to do about each alert, and about no others.
func TestAlertsAreExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var alerts []string
	for _, rule := range objects[*monitoringv1.PrometheusRule](t, monitored) {
		for _, group := range rule.Spec.Groups {
			for _, r := range group.Rules {
				alerts = append(alerts, r.Alert)
			}
		}
	}
	explained := regexp.MustCompile("(?m)^\\| `(Fairlead\\w+)` \\|").FindAllStringSubmatch(string(page), -1)
	for _, e := range explained {
		if !slices.Contains(alerts, e[1]) {
			t.Errorf("there is no alert %s", e[1])
		}
	}
	if len(explained) != len(alerts) {
		t.Errorf("%d of %d alerts are explained", len(explained), len(alerts))
	}
}

// The functions whose metrics are read are those that there are.
func TestFunctionsAreRead(t *testing.T) {
	for _, m := range objects[*monitoringv1.PodMonitor](t, monitored) {
		if m.Name != "fairlead-functions" {
			continue
		}
		values := m.Spec.Selector.MatchExpressions[0].Values
		for name := range functions(t) {
			if !slices.Contains(values, name) {
				t.Errorf("the metrics of %s are not read", name)
			}
		}
	}
}
