package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxResponse bounds a response with its headers, in bytes.
const maxResponse = 4 << 10

// A responseReader reads the responses of a keep-alive connection and looks at no more of them than it must, so that
// the processor time of a measurement goes to the server.
type responseReader struct {
	from   io.Reader
	buffer [maxResponse]byte
	filled int
}

var errUnreadable = errors.New("not a response that this reader knows")

// next reads one response and returns its status.
func (r *responseReader) next() (status int, err error) {
	for {
		if status, size, ok, err := parseResponse(r.buffer[:r.filled]); err != nil {
			return 0, err
		} else if ok {
			r.filled = copy(r.buffer[:], r.buffer[size:r.filled])
			return status, nil
		}
		if r.filled == len(r.buffer) {
			return 0, fmt.Errorf("%w: more than %d bytes", errUnreadable, maxResponse)
		}
		n, err := r.from.Read(r.buffer[r.filled:])
		if n == 0 && err != nil {
			return 0, err
		}
		r.filled += n
	}
}

// parseResponse finds the first response in b and its size, if it is there as a whole. Responses need a Content-Length.
func parseResponse(b []byte) (status, size int, ok bool, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, 0, false, nil
	}
	head := b[:end+2]
	if len(head) < len("HTTP/1.1 202") || !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) {
		return 0, 0, false, fmt.Errorf("%w: no status line", errUnreadable)
	}
	if status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return 0, 0, false, fmt.Errorf("%w: no status", errUnreadable)
	}
	length, err := contentLength(head)
	size = end + 4 + length
	return status, size, err == nil && size <= len(b), err
}

// contentLength finds the one field of that name, which is compared without case.
func contentLength(head []byte) (length int, err error) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 31)
		if err != nil {
			return 0, fmt.Errorf("%w: no number in Content-Length", errUnreadable)
		}
		return int(n), nil
	}
	return 0, fmt.Errorf("%w: no Content-Length", errUnreadable)
}
