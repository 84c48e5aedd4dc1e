package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	built "github.com/fairlead/fairlead/internal/process"
)

type versionCommand struct{}

// Run prints the version: the one that the program was given when it was built, else the one that Go stamped into it, which is the
// module's or the commit.
func (versionCommand) Run(t terminal) error {
	_, err := fmt.Fprintf(t.out, "fairlead %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

func version() string {
	if v := built.Stamp(); v != "" {
		return v
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-modified"
		}
	}
	if revision == "" {
		return "development"
	}
	return "development-" + revision + modified
}
