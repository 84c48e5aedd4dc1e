package folder

import (
	"context"
	"maps"
	"os"
	"syscall"
	"time"
)

// pollInterval is how often files are looked at. Looking needs no support of the file system and sees every kind of
// editor, mounted ConfigMaps too.
const pollInterval = 500 * time.Millisecond

// settled is how long files have to be unchanged before they are read: who saves a file may write it in pieces, or empty it
// first, or put another one in its place.
const settled = 2 * pollInterval

// A Stamp tells versions of a file apart without reading it.
type Stamp struct {
	Modified time.Time
	Size     int64
	Inode    uint64
	Missing  bool
}

// StampOf looks at one file.
func StampOf(name string) Stamp {
	info, err := os.Stat(name)
	if err != nil {
		return Stamp{Missing: true}
	}
	stamp := Stamp{Modified: info.ModTime(), Size: info.Size()}
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		stamp.Inode = system.Ino
	}
	return stamp
}

// Stamps looks at the files that list names.
func Stamps(names []string) map[string]Stamp {
	stamps := make(map[string]Stamp, len(names))
	for _, name := range names {
		stamps[name] = StampOf(name)
	}
	return stamps
}

// Watch calls changed when one of the files that list names is new, gone or different, and none of them has changed again
// for a moment, until the context ends. The first look is compared with the given stamps, so that nothing is missed that
// changes after those were taken. changed is told for how long the files have been the same; it is called again, if they
// stay so, until it returns true.
func Watch(ctx context.Context, seen map[string]Stamp, list func() []string, changed func(quiet time.Duration) bool) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	done := true // with the files as they were seen
	since := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if now := Stamps(list()); !maps.Equal(now, seen) {
			seen, since, done = now, time.Now(), false
			continue
		}
		if quiet := time.Since(since); !done && quiet >= settled {
			done = changed(quiet)
		}
	}
}
