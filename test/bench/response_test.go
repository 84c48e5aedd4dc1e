package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestResponsesAreReadOneByOne(t *testing.T) {
	const stream = "HTTP/1.1 202 Accepted\r\nDate: now\r\nContent-Length: 0\r\n\r\n" +
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello" +
		"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\ncontent-length:2\r\n\r\nno"
	f := func(from io.Reader) {
		t.Helper()
		r := responseReader{from: from}
		var got []int
		for {
			status, err := r.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, status)
		}
		if diff := cmp.Diff([]int{202, 403, 503}, got); diff != "" {
			t.Error(diff)
		}
	}
	f(strings.NewReader(stream))
	f(iotest.OneByteReader(strings.NewReader(stream)))
	f(iotest.DataErrReader(strings.NewReader(stream)))
}

func TestUnknownResponsesAreErrors(t *testing.T) {
	f := func(text string) {
		t.Helper()
		r := responseReader{from: strings.NewReader(text)}
		if status, err := r.next(); !errors.Is(err, errUnreadable) {
			t.Errorf("%q: status %d, error %v", text, status, err)
		}
	}
	f("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
	f("HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n")
	f("HTTP/1.1 2\r\n\r\n")
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	f("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")
	f("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
	f("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + strings.Repeat("x", 5000))
	f(strings.Repeat("x", 5000))
}

func FuzzParseResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 2"))
	f.Add([]byte("HTTP/1.1 \r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		status, size, ok, err := parseResponse(b)
		if err != nil || !ok {
			return
		}
		if size <= 0 || size > len(b) {
			t.Errorf("size %d of %d bytes", size, len(b))
		}
		again, sizeAgain, ok, err := parseResponse(b[:size])
		if again != status || sizeAgain != size || !ok || err != nil {
			t.Errorf("without what follows: status %d, size %d, %v, %v", again, sizeAgain, ok, err)
		}
	})
}
