package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A lineHandler writes what is logged as lines for people: a word for how bad it is, what is said, and details behind it.
type lineHandler struct {
	write   func(line string)
	details []slog.Attr
	group   string
}

var _ slog.Handler = (*lineHandler)(nil)

// Enabled leaves debug messages out.
func (*lineHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle writes one line.
func (h *lineHandler) Handle(_ context.Context, record slog.Record) error {
	var b strings.Builder
	switch {
	case record.Level >= slog.LevelError:
		b.WriteString("error: ")
	case record.Level >= slog.LevelWarn:
		b.WriteString("warning: ")
	}
	b.WriteString(printable(record.Message))
	for _, detail := range h.details {
		b.WriteString(text(detail))
	}
	record.Attrs(func(detail slog.Attr) bool {
		detail.Key = h.group + detail.Key
		b.WriteString(text(detail))
		return true
	})
	h.write(b.String())
	return nil
}

// WithAttrs adds details to all lines.
func (h *lineHandler) WithAttrs(details []slog.Attr) slog.Handler {
	next := *h
	next.details = slices.Clone(h.details)
	for _, detail := range details {
		detail.Key = h.group + detail.Key
		next.details = append(next.details, detail)
	}
	return &next
}

// WithGroup puts a name before the names of details.
func (h *lineHandler) WithGroup(name string) slog.Handler {
	next := *h
	next.group = h.group + name + "."
	return &next
}

func text(detail slog.Attr) string {
	value := fmt.Sprint(detail.Value.Resolve().Any())
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r == ' ' || r == '"' || !unicode.IsPrint(r) }) {
		value = strconv.Quote(value)
	}
	return " " + detail.Key + "=" + value
}

// printable keeps a message on its line, but lets the lines of a joined error be seen as such.
func printable(message string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, message)
}
