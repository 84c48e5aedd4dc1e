package neighbour

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// tailBytes bounds how much of a log goes into an error.
const tailBytes = 6 << 10

// tail returns the end of a log, whole lines, under a heading.
func tail(path string) string {
	text, err := lastBytes(path)
	if err != nil {
		return fmt.Sprintf("(its log cannot be read: %v)", err)
	}
	if len(text) == tailBytes {
		_, text, _ = strings.Cut(text, "\n")
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return "(its log is empty)"
	}
	return "the end of its log:\n" + text
}

func lastBytes(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	if _, err := file.Seek(max(0, size-tailBytes), io.SeekStart); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(file, tailBytes))
	return string(text), err
}
