package main

import (
	"fmt"
	"strings"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Shell: bash, zsh or fish."`
}

// The scripts ask the program itself, so that they complete names of applications and devices too. Each line that it
// answers is a word, a tab and what the word means.
const (
	bashScript = `# For ~/.bashrc: source <(PROGRAM completion bash)
_FUNCTION() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("$(printf '%q' "${line%%$'\t'*}")")
  done < <(PROGRAM __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _FUNCTION PROGRAM
`
	zshScript = `#compdef PROGRAM
# For ~/.zshrc, after compinit: source <(PROGRAM completion zsh)
_FUNCTION() {
  local line
  local -a words_found shown
  while IFS= read -r line; do
    words_found+=("${line%%$'\t'*}")
    shown+=("${line/$'\t'/  -- }")
  done < <(PROGRAM __complete -- "${(@)words[2,$CURRENT]}" 2>/dev/null)
  if (( $#words_found )); then compadd -l -d shown -a words_found; else _files; fi
}
compdef _FUNCTION PROGRAM
`
	fishScript = `# For ~/.config/fish/completions/PROGRAM.fish: PROGRAM completion fish
complete -c PROGRAM -a '(PROGRAM __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`
)

// Run prints a script.
func (c *completionCommand) Run(t terminal) error {
	script := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[c.Shell]
	_, err := fmt.Fprint(t.out, strings.NewReplacer("PROGRAM", "fairlead", "FUNCTION", "fairlead").Replace(script))
	return err
}
