package folder

import (
	"context"
	"maps"
	"os"
	"time"
)

// pollInterval is how often files are looked at. Looking needs no support of the file system and sees every kind of
// editor, mounted ConfigMaps too.
const pollInterval = time.Second

// A Stamp tells versions of a file apart without reading it.
type Stamp struct {
	Modified time.Time
	Size     int64
	Missing  bool
}

// StampOf looks at one file.
func StampOf(name string) Stamp {
	info, err := os.Stat(name)
	if err != nil {
		return Stamp{Missing: true}
	}
	return Stamp{Modified: info.ModTime(), Size: info.Size()}
}

// Stamps looks at the files that list names.
func Stamps(names []string) map[string]Stamp {
	stamps := make(map[string]Stamp, len(names))
	for _, name := range names {
		stamps[name] = StampOf(name)
	}
	return stamps
}

// Watch calls changed whenever one of the files that list names is new, gone or different, until the context ends. The
// first look is what the files are compared with, so that nothing is missed that changes after the given stamps were
// taken.
func Watch(ctx context.Context, seen map[string]Stamp, list func() []string, changed func()) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := Stamps(list())
		if maps.Equal(now, seen) {
			continue
		}
		seen = now
		changed()
	}
}
