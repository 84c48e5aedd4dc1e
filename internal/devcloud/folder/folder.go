package folder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

const lockName = "lock"

// ownerOnly is what nobody but the owner may do with files.
const ownerOnly = 0o077

// A Folder belongs to this process until it is closed.
type Folder struct {
	path      string
	temporary bool
	lock      *os.File
}

// Open takes a folder, and makes it if need be, readable for its owner only. An empty path makes a temporary folder that
// Close removes. A folder that another process has is an error.
func Open(path string) (*Folder, error) {
	f := &Folder{path: path}
	if path == "" {
		made, err := os.MkdirTemp("", "fairlead-dev-")
		if err != nil {
			return nil, fmt.Errorf("making a temporary data folder: %w", err)
		}
		f.path, f.temporary = made, true
	} else if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	absolute, err := filepath.Abs(f.path)
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", f.path, err)
	}
	f.path = absolute
	if err := f.take(); err != nil {
		return nil, err
	}
	// Some of what is written into the folder is written by libraries, which leave it to the user's mask who may read it.
	syscall.Umask(ownerOnly)
	if err := f.restrict(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// contents are the names of what lies in a data folder. Others belong to the user.
var contents = []string{lockName, "kafka", "tls", "registry.db", "registry.db-wal", "registry.db-shm", "registry-files.json", "redis.json", "dev.json"}

// restrict takes what earlier processes have left in the folder from everybody but the owner: there are passwords in it. The
// folder itself is taken from others only if it holds nothing else: the user may have named one that others need.
func (f *Folder) restrict() error {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return fmt.Errorf("data folder %s: %w", f.path, err)
	}
	foreign := false
	for _, entry := range entries {
		if !slices.Contains(contents, entry.Name()) {
			foreign = foreign || entry.Name() != "triggers" && entry.Name() != "demo"
			continue
		}
		if err := restrict(f.File(entry.Name())); err != nil {
			return fmt.Errorf("keeping others out of the data folder: %w", err)
		}
	}
	if foreign {
		return nil
	}
	return os.Chmod(f.path, 0o700)
}

func restrict(root string) error {
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() && !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Mode().Perm()&ownerOnly == 0 {
			return err
		}
		return os.Chmod(name, info.Mode().Perm()&^ownerOnly)
	})
}

func (f *Folder) take() error {
	lock, err := os.OpenFile(f.File(lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("data folder %s: %w", f.path, err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		_ = lock.Close()
		return fmt.Errorf("data folder %s: another fairlead dev is running on it; stop that one, or give another folder with --data", f.path)
	}
	if err != nil {
		_ = lock.Close()
		return fmt.Errorf("locking data folder %s: %w", f.path, err)
	}
	f.lock = lock
	return nil
}

// Path is the folder's absolute path.
func (f *Folder) Path() string { return f.path }

// Temporary tells whether Close removes the folder.
func (f *Folder) Temporary() bool { return f.temporary }

// File is the path of a file in the folder.
func (f *Folder) File(name string) string { return filepath.Join(f.path, name) }

// Close gives the folder back, and removes it if it is temporary.
func (f *Folder) Close() error {
	var err error
	if f.temporary {
		err = os.RemoveAll(f.path)
	}
	return errors.Join(err, f.lock.Close())
}

// Write replaces a file by new content, readable for its owner only. Readers see the old content or the new one.
func Write(name string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(content)
	if err == nil {
		err = temporary.Sync()
	}
	if err = errors.Join(err, temporary.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return os.Rename(temporary.Name(), name)
}

// WriteJSON is Write with a value as indented JSON.
func WriteJSON(name string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return Write(name, append(content, '\n'))
}
