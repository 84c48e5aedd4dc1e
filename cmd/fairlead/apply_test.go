package main

import (
	"slices"
	"strings"
)

// results are the lines about resources that apply prints, in order.
func results(e string) string {
	var lines []string
	for line := range strings.Lines(e) {
		if strings.HasPrefix(line, "application ") || strings.HasPrefix(line, "device ") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
