package registryfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// A File is what was read of one file.
type File struct {
	Name string `json:"name"`
	Text []byte `json:"text"`
}

// A CutError says that a file looks as if it had been cut short while it was being saved.
type CutError struct{ Name string }

// Error says what to do.
func (e *CutError) Error() string {
	return fmt.Sprintf("registry file %s: ends in the middle of what stood there before, as if it had been cut short while it was being saved; "+
		"if it is meant to end there, add a last line of three dots", e.Name)
}

// hash tells texts apart.
func (f *File) hash() string {
	sum := sha256.Sum256(f.Text)
	return hex.EncodeToString(sum[:16])
}

// checkCut looks for a file that is the beginning of what it was, unless it was a whole file before.
func checkCut(before, now []File, whole []string) error {
	for _, file := range now {
		i := slices.IndexFunc(before, func(f File) bool { return f.Name == file.Name })
		if i >= 0 && cut(before[i].Text, file.Text) && !slices.Contains(whole, file.hash()) {
			return &CutError{file.Name}
		}
	}
	return nil
}

// cut tells whether a text looks like one that was cut short. Where it ends with the end of one of the documents that stood
// there before, nobody can tell: that is how documents are removed, too.
func cut(before, now []byte) bool {
	if len(now) >= len(before) || isNothing(now) {
		return false
	}
	if bytes.HasPrefix(before, now) {
		return !betweenDocuments(now, before[len(now):])
	}
	return inLine(now) && !inLine(before)
}

// inLine tells whether a text ends within a line.
func inLine(text []byte) bool { return len(text) > 0 && text[len(text)-1] != '\n' }

// betweenDocuments tells whether a document ends between two parts of a text.
func betweenDocuments(part, rest []byte) bool {
	if inLine(part) && len(rest) > 0 && rest[0] != '\n' && rest[0] != '\r' {
		return false
	}
	trimmed := bytes.TrimRight(part, " \t\r\n")
	lastLine := trimmed[bytes.LastIndexByte(trimmed, '\n')+1:]
	if _, marker := afterMarker(lastLine); marker {
		return true
	}
	next := afterComments(rest)
	if _, marker := afterMarker(next); marker || len(next) == 0 {
		return true
	}
	return next[0] == '{' && bytes.HasSuffix(trimmed, []byte("}")) // JSON after JSON
}
