package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// canAsk tells whether somebody is there to answer.
func canAsk(t terminal) bool {
	file, ok := t.in.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && isTerminal(t.err)
}

// ask asks a question that only yes answers with yes.
func ask(t terminal, question string) bool {
	fmt.Fprintf(t.err, "%s [y/N] ", question)
	answer, err := bufio.NewReader(io.LimitReader(t.in, maxStdin)).ReadString('\n')
	if err != nil {
		fmt.Fprintln(t.err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true
	}
	return false
}
