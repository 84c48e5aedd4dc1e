package process

import "runtime/debug"

// stamp is the version that the build of an image sets with -ldflags "-X …/internal/process.stamp=VERSION": there the source is
// a copy without a repository, and for functions the main module is func's.
var stamp string

// Stamp is the version that the program was given when it was built, or "".
func Stamp() string { return stamp }

// Version is the version of the program: the one that it was given, else of the module if it was built as one, else the
// revision of its source, else "".
func Version() string {
	if stamp != "" {
		return stamp
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
