package dtls

import "github.com/pion/logging"

// quiet is pion's log. What matters of a handshake is its end, and that is counted; the rest is noise that anybody can
// make by sending datagrams.
type quiet struct{}

var (
	_ logging.LoggerFactory = quiet{}
	_ logging.LeveledLogger = quiet{}
)

// NewLogger and the methods below are pion's.
func (quiet) NewLogger(string) logging.LeveledLogger { return quiet{} }

func (quiet) Trace(string)          {}
func (quiet) Tracef(string, ...any) {}
func (quiet) Debug(string)          {}
func (quiet) Debugf(string, ...any) {}
func (quiet) Info(string)           {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Warn(string)           {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Error(string)          {}
func (quiet) Errorf(string, ...any) {}
