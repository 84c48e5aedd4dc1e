package neighbour

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	folderPrefix = "fairlead-neighbour-"
	lockName     = "owner.lock"
)

// A folder is a temporary directory that is locked as long as its process lives. The lock tells living folders from those
// whose process was killed before it could clean up.
type folder struct {
	path string
	lock *os.File
}

// newFolder makes a folder for the server called name, and removes the abandoned folders of earlier processes.
func newFolder(name string) (*folder, error) {
	removeAbandoned(os.TempDir())
	path, err := os.MkdirTemp("", folderPrefix+name+"-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for %s: %w", name, err)
	}
	f := &folder{path: path}
	if err := f.prepare(); err != nil {
		_ = f.remove()
		return nil, fmt.Errorf("preparing the folder for %s: %w", name, err)
	}
	return f, nil
}

func (f *folder) prepare() error {
	// PostgreSQL runs as another user than root and has to reach its data in here.
	if err := os.Chmod(f.path, 0o711); err != nil {
		return err
	}
	// The lock gets its name only once it is held, so that nobody takes a folder in the making for an abandoned one.
	unnamed := f.file(lockName + ".new")
	lock, err := os.OpenFile(unnamed, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	f.lock = lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("locking %s: %w", unnamed, err)
	}
	return os.Rename(unnamed, f.file(lockName))
}

func (f *folder) file(name string) string { return filepath.Join(f.path, name) }

func (f *folder) remove() error {
	err := os.RemoveAll(f.path)
	if f.lock != nil {
		_ = f.lock.Close()
	}
	return err
}

// removeAbandoned removes the folders in parent whose owner is gone. What cannot be removed (another user's, say) stays.
func removeAbandoned(parent string) {
	locks, err := filepath.Glob(filepath.Join(parent, folderPrefix+"*", lockName))
	if err != nil {
		return
	}
	for _, name := range locks {
		lock, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(name))
		}
		_ = lock.Close()
	}
}
