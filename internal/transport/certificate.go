package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// pollInterval is how often the files of a certificate are looked at. Looking, rather than being notified, works with
// every file system and with the symbolic links of a mounted Secret.
const pollInterval = 5 * time.Second

// A keyPair is a certificate with its key, read from files, and read again when they change.
type keyPair struct {
	files   [2]string // certificate and key
	stamps  [2]os.FileInfo
	current atomic.Pointer[tls.Certificate]
	log     *zap.Logger
	metrics *metrics
}

// A Certificate is a server's certificate that is read from files, and read again when they change, for servers that do not
// listen to TCP.
type Certificate struct {
	pair *keyPair
	stop chan struct{}
	once sync.Once
}

// LoadCertificate reads the files. The log may be nil. Close must be called.
func LoadCertificate(certificateFile, keyFile string, log *zap.Logger) (*Certificate, error) {
	if log == nil {
		log = zap.NewNop()
	}
	pair, err := loadKeyPair(certificateFile, keyFile, log)
	if err != nil {
		return nil, err
	}
	c := &Certificate{pair: pair, stop: make(chan struct{})}
	go pair.watch(c.stop)
	return c, nil
}

// Get is the certificate as it is now.
func (c *Certificate) Get() (*tls.Certificate, error) { return c.pair.get(nil) }

// Close ends looking for changes.
func (c *Certificate) Close() { c.once.Do(func() { close(c.stop) }) }

// loadKeyPair reads the files for the first time.
func loadKeyPair(certificateFile, keyFile string, log *zap.Logger) (*keyPair, error) {
	k := &keyPair{files: [2]string{certificateFile, keyFile}, log: log, metrics: newMetrics()}
	stamps, err := k.look()
	if err != nil {
		return nil, err
	}
	if err := k.load(); err != nil {
		return nil, err
	}
	k.stamps = stamps
	return k, nil
}

// get is for tls.Config.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.current.Load(), nil }

// watch reads the files again whenever they change, until it is told to stop.
func (k *keyPair) watch(stop <-chan struct{}) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			k.poll()
		case <-stop:
			return
		}
	}
}

// poll reads the files if they have changed since they were last looked at. If that fails, because only one of them has
// been replaced yet, or because they are broken, the old pair stays in use until they change again.
func (k *keyPair) poll() {
	stamps, err := k.look()
	if same(stamps, k.stamps) {
		return
	}
	k.stamps = stamps
	if err == nil {
		err = k.load()
	}
	k.metrics.loaded(err)
	if err != nil {
		k.log.Error("a changed certificate cannot be used, the old one stays", zap.Error(err))
		return
	}
	k.log.Info("a certificate has changed and is used from now on", zap.Time("notAfter", k.current.Load().Leaf.NotAfter))
}

// look takes the stamps of the files; that of a missing one is nil.
func (k *keyPair) look() (stamps [2]os.FileInfo, err error) {
	for i, file := range k.files {
		info, problem := os.Stat(file)
		if problem != nil {
			err = errors.Join(err, fmt.Errorf("looking for a certificate: %w", problem))
			continue
		}
		stamps[i] = info
	}
	return stamps, err
}

func same(a, b [2]os.FileInfo) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil {
			if a[i] != b[i] {
				return false
			}
			continue
		}
		if !os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size() {
			return false
		}
	}
	return true
}

// load reads the files. Its errors have nothing of the key.
func (k *keyPair) load() error {
	var content [2][]byte
	for i, file := range k.files {
		var err error
		if content[i], err = os.ReadFile(file); err != nil {
			return fmt.Errorf("reading a certificate: %w", err)
		}
	}
	pair, err := tls.X509KeyPair(content[0], content[1])
	if err != nil {
		return fmt.Errorf("the files %s and %s do not hold a certificate with its key: %w", k.files[0], k.files[1], err)
	}
	k.current.Store(&pair)
	return nil
}
