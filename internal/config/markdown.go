package config

import (
	"fmt"
	"strings"
)

// Markdown renders settings as a table for a page of documentation.
func Markdown(settings []Setting) string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, s := range settings {
		value := "`" + s.Default + "`"
		switch {
		case s.Secret:
			value = "(secret)"
		case s.Default == "":
			value = "(none)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.Name, value, strings.ReplaceAll(s.Doc, "|", "\\|"))
	}
	return b.String()
}
