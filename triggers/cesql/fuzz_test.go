package cesql

import (
	"errors"
	"strings"
	"testing"
)

// FuzzTest evaluates anything that parses: it never panics, and its texts are bounded.
func FuzzTest(f *testing.F) {
	for _, seed := range []string{
		"", "TRUE", "type = 'a'", `x LIKE "%a_\%"`, "NOT EXISTS x", "x IN (1, 'b', TRUE)", "-2147483648 / -1 = 1", "ABS(-5) = 5",
		"SUBSTRING(x, 1, 2147483647) = 'te'", "LEFT(x, 1) = RIGHT(x, 1)", "1 % 0 = 1", "((((TRUE))))", "(", "'", "\\", "\x00", "type ;",
		"a XOR b AND c OR d", "CONCAT_WS(LEFT(x, 1), x, x) <> UPPER(LOWER(x))", "x NOT IN (1) NOT LIKE 'x'", "CONCAT()", "é = 'é'", "concat_ws()",
	} {
		f.Add(seed, "😀ß\n")
	}
	f.Fuzz(func(t *testing.T, text, x string) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		event := javaEvent{"specversion": "1.0", "x": x, "type": "a"}
		if yes, err := e.Test(event); yes && err != nil {
			t.Errorf("%q: true and fails: %v", text, err)
		}
		e.Type()
		e.Unguarded(func(string) bool { return false })
	})
}

func TestBounds(t *testing.T) {
	f := func(text string, wantErr error) {
		t.Helper()
		e, err := Parse(text)
		if err != nil {
			t.Fatalf("%.80s: %v", text, err)
		}
		long := javaEvent{"specversion": "1.0", "x": strings.Repeat("a", 1<<20)}
		if _, err := e.Test(long); !errors.Is(err, wantErr) {
			t.Errorf("%.80s: error %v, want %v", text, err, wantErr)
		}
	}
	f("LENGTH(x) = 1", nil)
	f("CONCAT(x, x, x) = x", nil)
	f("CONCAT("+strings.Repeat("x, ", 20)+"x) = x", errTooMuchText)
	f(strings.Repeat("UPPER(", 20)+"x"+strings.Repeat(")", 20)+" = 'A'", errTooMuchText)
	f("x LIKE '"+strings.Repeat("%a", 100)+"b'", nil)
	f(strings.Repeat("NOT ", 1000)+"TRUE", nil)
	f(strings.Repeat("(", 2000)+"TRUE"+strings.Repeat(")", 2000), nil)
	f(strings.Repeat("-", 2000)+"x = 1", nil)
	f("TRUE"+strings.Repeat(" OR TRUE", 500), nil)
}

// TestMalformedExpressionsCostLittle counts what it takes to refuse expressions as long as there may be. Without an end at the
// first error some of them took hundreds of times as much.
func TestMalformedExpressionsCostLittle(t *testing.T) {
	for _, part := range []string{"(", "NOT ", "- ", "x IN (", "x = (", "LENGTH(", "CONCAT(x, ", "x LIKE ", "EXISTS ", "x AND (", "TRUE OR ", "x x ", "(x ", "1 ", "' ", "; ", ")"} {
		text := strings.Repeat(part, MaxBytes/len(part))
		perByte := testing.AllocsPerRun(1, func() {
			if _, err := Parse(text); err == nil {
				t.Fatalf("%s… parses", part)
			}
		}) / float64(len(text))
		t.Logf("%q: %.0f allocations per byte", part, perByte)
		if perByte > 100 {
			t.Errorf("%q…: %.0f allocations per byte", part, perByte)
		}
	}
}
