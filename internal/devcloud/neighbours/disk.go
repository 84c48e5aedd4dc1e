package neighbours

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Endings of the files of a segment: its records, and what the broker notes about each batch.
const (
	segmentFile = ".dat"
	indexFile   = ".idx"
)

// A disk is what the broker has to do with its folder: it sees each answer before it leaves, and lets none say that something
// is stored that is not. With the first error nothing leaves any longer, and the listener is closed: the state in memory may
// be ahead of the disk from then on.
type disk struct {
	folder string
	sync   bool
	logger *slog.Logger
	tell   func(error)

	cluster atomic.Pointer[kfake.Cluster] // nil while it starts
	closing chan struct{}

	mu          sync.Mutex
	failed      error
	listener    net.Listener
	connections map[*connection]bool
}

func newDisk(o KafkaOptions) *disk {
	return &disk{
		folder: o.Folder, sync: o.Sync, logger: o.Logger, tell: o.Failed,
		closing: make(chan struct{}), connections: map[*connection]bool{},
	}
}

// failure is the first error of the disk.
func (d *disk) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// stopped says why the broker stops, and what to do.
func stopped(err error, folder string) error {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return fmt.Errorf("the embedded Kafka has stopped, since it may open no more files (%w); nothing that it did not store was accepted; "+
			"allow more, as ulimit -n does, or let fewer clients connect, then start again", err)
	}
	return fmt.Errorf("the embedded Kafka has stopped, since its disk has failed (%w); nothing that it did not store was accepted; "+
		"make room or mend the disk of %s, then start again", err, folder)
}

// fail stops the broker.
func (d *disk) fail(err error) error {
	d.mu.Lock()
	if d.failed != nil {
		defer d.mu.Unlock()
		return d.failed
	}
	d.failed = stopped(err, d.folder)
	failed, listener, open := d.failed, d.listener, d.connections
	d.connections = map[*connection]bool{}
	d.mu.Unlock()
	if listener != nil {
		_ = listener.Close()
	}
	for c := range open {
		_ = c.Conn.Close()
	}
	if d.tell != nil {
		d.tell(failed)
	}
	return failed
}

// Logf hears what the broker says; the broker goes on after errors of the disk, of which this is the only sign. It is called
// before the answer to the request leaves.
func (d *disk) Logf(level kfake.LogLevel, format string, arguments ...any) {
	if level > kfake.LogLevelWarn {
		return
	}
	for _, argument := range arguments {
		if err, ok := argument.(error); ok && ofDisk(format, err) {
			_ = d.fail(err)
			return
		}
	}
	if strings.Contains(format, "corrupt") {
		d.logger.Warn("the embedded Kafka found damage: " + fmt.Sprintf(format, arguments...))
	}
}

var _ kfake.Logger = (*disk)(nil)

// ofDisk tells whether the broker says that it could not store something.
func ofDisk(format string, err error) bool {
	var path *fs.PathError
	var link *os.LinkError
	if errors.As(err, &path) || errors.As(err, &link) {
		return true
	}
	for _, what := range []string{"persist", "compact", "rebuildSegments", "save"} {
		if strings.HasPrefix(format, what) {
			return true
		}
	}
	return false
}

// stored returns when a batch is on disk for good.
func (d *disk) stored(topic string, partition int32, offset int64) error {
	if !d.sync {
		return nil
	}
	folder := filepath.Join(d.folder, "partitions", fmt.Sprintf("%s-%d", url.PathEscape(topic), partition))
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) && !d.present(topic) {
		return nil // the topic was deleted meanwhile
	}
	if err != nil {
		return err
	}
	base := int64(-1)
	for _, entry := range entries {
		if first, ok := baseOf(entry.Name()); ok && first <= offset && first > base {
			base = first
		}
	}
	if base < 0 {
		return fmt.Errorf("%s has no segment with offset %d: %w", folder, offset, fs.ErrNotExist)
	}
	name := filepath.Join(folder, strconv.FormatInt(base, 10))
	if err := errors.Join(syncFile(name+segmentFile), syncFile(name+indexFile)); err != nil {
		return err
	}
	if base == offset { // the first batch of a segment: the names are new, too
		return errors.Join(syncFile(folder), syncFile(filepath.Dir(folder)), syncFile(d.folder))
	}
	return nil
}

// present asks the broker for a topic, unless the broker is closing.
func (d *disk) present(topic string) bool {
	cluster := d.cluster.Load()
	if cluster == nil {
		return true
	}
	answer := make(chan bool, 1)
	go func() { answer <- cluster.TopicInfo(topic) != nil }()
	select {
	case is := <-answer:
		return is
	case <-d.closing:
		return true
	}
}

// noted returns when a file of the broker's own is on disk for good, if it is there.
func (d *disk) noted(name string) error {
	if !d.sync {
		return nil
	}
	err := syncFile(filepath.Join(d.folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// baseOf is the offset of the first record of a segment.
func baseOf(name string) (int64, bool) {
	text, ok := strings.CutSuffix(name, segmentFile)
	if !ok {
		return 0, false
	}
	base, err := strconv.ParseInt(text, 10, 64)
	return base, err == nil
}

// syncFile flushes a file or a folder. Who opens a file after an error of writing it back is told, too.
func syncFile(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// listen is where the broker listens.
func (d *disk) listen(network, address string) (net.Listener, error) {
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listener = &watchedListener{listener, d}
	return d.listener, nil
}
