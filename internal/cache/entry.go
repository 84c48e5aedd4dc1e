package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

// format is the version of an entry in Redis. A reader treats an entry of another version as missing.
const format = "1"

var errEntry = errors.New("entry in Redis does not parse")

// An entry is what is known of a name: a document, or, if both are nil, that there is none. It is immutable and shared
// by all who look it up.
type entry struct {
	application *registry.Application
	device      *registry.Device
	anchored    []string // names of applications
	size        int      // bytes of the document as JSON
}

func (e entry) found() bool { return e.application != nil || e.device != nil || len(e.anchored) > 0 }

// version is the uid and revision of the document, "-" and 0 without one.
func (e entry) version() (uid string, revision uint64) {
	switch {
	case e.application != nil:
		uid, revision = e.application.Metadata.UID, e.application.Metadata.Revision
	case e.device != nil:
		uid, revision = e.device.Metadata.UID, e.device.Metadata.Revision
	}
	if uid == "" {
		uid = "-"
	}
	return uid, revision
}

// encode writes an entry as Redis keeps it: a line with the format's version, the time to live that it is written
// with in milliseconds, uid and revision; then the document as JSON, which is empty if there is none.
func (e entry) encode(ttl time.Duration) ([]byte, error) {
	uid, revision := e.version()
	value := fmt.Appendf(nil, "%s %d %s %d\n", format, ttl.Milliseconds(), uid, revision)
	if !e.found() {
		return value, nil
	}
	var document any = e.application
	switch {
	case e.device != nil:
		document = e.device
	case len(e.anchored) > 0:
		document = e.anchored
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, errors.New("document is not valid JSON") // the cause would quote it
	}
	return append(value, text...), nil
}

// decode is the opposite of encode.
func decode(value []byte, kind registry.ChangeKind) (e entry, ttl time.Duration, err error) {
	head, document, ok := bytes.Cut(value, []byte("\n"))
	parts := bytes.Split(head, []byte(" "))
	if !ok || len(parts) != 4 || string(parts[0]) != format {
		return entry{}, 0, errEntry
	}
	milliseconds, err := strconv.ParseInt(string(parts[1]), 10, 64)
	if err != nil || milliseconds <= 0 || milliseconds > int64(time.Duration(1<<62)/time.Millisecond) {
		return entry{}, 0, errEntry
	}
	ttl = time.Duration(milliseconds) * time.Millisecond
	revision, err := strconv.ParseUint(string(parts[3]), 10, 64)
	if err != nil {
		return entry{}, 0, errEntry
	}
	if len(document) == 0 {
		return entry{}, ttl, nil
	}
	e.size = len(document)
	switch kind {
	case anchored:
		err = json.Unmarshal(document, &e.anchored)
	case registry.ApplicationChanged:
		e.application = new(registry.Application)
		err = json.Unmarshal(document, e.application)
		e.application.Metadata.Revision = revision
	default:
		e.device = new(registry.Device)
		err = json.Unmarshal(document, e.device)
		e.device.Metadata.Revision = revision
	}
	if err != nil {
		return entry{}, 0, errEntry
	}
	return e, ttl, nil
}
