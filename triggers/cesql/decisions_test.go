package cesql

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// A javaEvent is an event as the Java SDK holds it.
type javaEvent map[string]any

func (e javaEvent) Value(name string) (v any, ok bool, err error) {
	if e["specversion"] == "0.3" {
		switch name {
		case "dataschema":
			return nil, false, errNoSuchAttribute
		case "schemaurl": // an attribute that only extensions are asked for
			return nil, false, nil
		}
	}
	v, ok = e[name]
	switch v := v.(type) {
	case float64:
		if name == "knativekafkaoffset" { // a long, which is a text
			return value{kind: Integer, i: int32(v)}.text(), true, nil
		}
		return int32(v), true, nil
	case string:
		if name == "time" {
			return javaTime(v), true, nil
		}
	}
	return v, ok, nil
}

func (e javaEvent) Has(name string) bool {
	_, ok := e[name]
	return ok
}

type constant string

func (c constant) Error() string { return string(c) }

const errNoSuchAttribute = constant("no such attribute in that version")

// javaTime is how Java writes a time with its offset.
func javaTime(s string) string {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	switch text := t.Format("2006-01-02T15:04"); {
	case t.Nanosecond() > 0 && t.Nanosecond()%1e6 == 0:
		return text + t.Format(":05.000Z07:00")
	case t.Nanosecond() > 0:
		return text + t.Format(":05.000000000Z07:00")
	case t.Second() > 0:
		return text + t.Format(":05Z07:00")
	default:
		return text + t.Format("Z07:00")
	}
}

// TestDecidesAsJava holds every decision against that of the Java library: 1 yes, 0 no, x the event is thrown away, and
// e for an expression that does not parse.
func TestDecidesAsJava(t *testing.T) {
	text, err := os.ReadFile("testdata/events.json")
	if err != nil {
		t.Fatal(err)
	}
	var events []javaEvent
	if err := json.Unmarshal(text, &events); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(decisionsFile())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	expressions, wrong := 0, 0
	for lines := bufio.NewScanner(file); lines.Scan(); expressions++ {
		want, quoted, _ := strings.Cut(lines.Text(), "\t")
		var expression string
		if err := json.Unmarshal([]byte(quoted), &expression); err != nil {
			t.Fatal(err)
		}
		if got := decide(expression, events); got != want && !strings.Contains(expression, `\E`) {
			if wrong++; wrong <= 20 {
				t.Errorf("%s: got %s, Java %s", expression, got, want)
			}
		}
	}
	if expressions < 2000 {
		t.Errorf("only %d expressions", expressions)
	}
	t.Logf("%d of %d expressions differ", wrong, expressions)
}

func decisionsFile() string {
	if name := os.Getenv("CESQL_DECISIONS"); name != "" { // a larger set, while working on the evaluation
		return name
	}
	return "testdata/decisions.txt"
}

func decide(expression string, events []javaEvent) string {
	e, err := Parse(expression)
	if err != nil {
		return "e"
	}
	var b strings.Builder
	for _, event := range events {
		switch yes, err := e.Test(event); {
		case err != nil:
			b.WriteByte('x')
		case yes:
			b.WriteByte('1')
		default:
			b.WriteByte('0')
		}
	}
	return b.String()
}
