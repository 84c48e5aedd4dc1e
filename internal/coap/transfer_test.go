package coap

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
)

// text is a body that differs in every block.
func text(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteByte(byte('a' + i/16%26))
	}
	return b.String()
}

func blockOf(num int, more bool, szx blockwise.SZX) uint32 {
	return block{num: int64(num), more: more, szx: szx}.encode()
}

// part is one block of a request.
func part(mid uint16, body string, num int, szx blockwise.SZX, options ...message.Option) message.Message {
	size := int(szx.Size())
	start, end := min(num*size, len(body)), min((num+1)*size, len(body))
	block1 := uintOption(message.Block1, blockOf(num, end < len(body), szx))
	return post(message.Confirmable, mid, body[start:end], append(options, block1)...)
}

func TestUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, &desk{}, nil, true)
		body := text(100)
		for num := range 6 {
			m := part(uint16(num), body, num, blockwise.SZX16)
			got := w.one(m)
			want(t, got, message.Acknowledgement, codes.Continue, int32(num), m.Token)
			if value, ok := number(got, message.Block1); !ok || value != blockOf(num, true, blockwise.SZX16) {
				t.Errorf("block %d is answered with block %x", num, value)
			}
			w.one(m) // the message again
		}
		got := w.one(part(6, body, 6, blockwise.SZX16))
		if value, ok := number(got, message.Block1); got.Code != codes.Changed || !ok || value != blockOf(6, false, blockwise.SZX16) {
			t.Errorf("the last block is answered with %v, block %x", got, value)
		}
		if got := w.desk.bodies(); len(got) != 1 || got[0] != body {
			t.Errorf("served %q", got)
		}
		if n := w.endpoint.transferred.Len(); n != 0 || w.uploads != nil {
			t.Errorf("%d bytes are kept", n)
		}
	})
}

func TestUploadsThatGoWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, &desk{}, nil, true)
		body := text(5000)
		mid := uint16(0)
		f := func(want codes.Code, m message.Message) message.Message {
			t.Helper()
			mid++
			m.MessageID = int32(mid)
			got := w.one(m)
			if got.Code != want {
				t.Errorf("%v: %v %q, want %v", m, got.Code, got.Payload, want)
			}
			return got
		}
		f(codes.RequestEntityIncomplete, part(0, body, 1, blockwise.SZX256)) // without its first block
		f(codes.Continue, part(0, body, 0, blockwise.SZX256))
		f(codes.Continue, part(0, body, 0, blockwise.SZX256)) // begins again
		f(codes.Continue, part(0, body, 1, blockwise.SZX256))
		f(codes.Continue, part(0, body, 1, blockwise.SZX256)) // is there already
		f(codes.RequestEntityIncomplete, part(0, body, 3, blockwise.SZX256))
		f(codes.RequestEntityIncomplete, part(0, body, 2, blockwise.SZX256)) // it is given up
		f(codes.Continue, part(0, body, 0, blockwise.SZX256))
		f(codes.Continue, part(0, body, 2, blockwise.SZX128)) // goes on with smaller blocks
		f(codes.Continue, part(0, body, 3, blockwise.SZX128))
		short := part(0, body, 2, blockwise.SZX256)
		short.Payload = short.Payload[:100]
		f(codes.BadRequest, short)

		got := f(codes.RequestEntityTooLarge, part(0, body, 0, blockwise.SZX256, uintOption(message.Size1, testMaxBody+1)))
		if size, ok := number(got, message.Size1); !ok || size != testMaxBody {
			t.Errorf("Size1 %d", size)
		}
		large := text(testMaxBody + 1)
		for num := range testMaxBody / 1024 {
			f(codes.Continue, part(0, large, num, blockwise.SZX1024))
		}
		f(codes.RequestEntityTooLarge, part(0, large, testMaxBody/1024, blockwise.SZX1024))
		f(codes.RequestEntityIncomplete, part(0, large, 1<<19, blockwise.SZX1024))

		f(codes.Continue, part(0, body, 0, blockwise.SZX1024))
		time.Sleep(DefaultConfig().TransferTimeout + 2*sweepPause)
		f(codes.RequestEntityIncomplete, part(0, body, 1, blockwise.SZX1024))
		if got := len(w.desk.bodies()); got != 0 {
			t.Errorf("served %d times", got)
		}
		if n := w.endpoint.transferred.Len(); n != 0 {
			t.Errorf("%d bytes are kept", n)
		}
	})
}

func TestUploadsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{head: func(r *Request) *Response {
			if _, ok := r.First(4209); ok {
				return nil
			}
			refusal := Diagnostic(codes.Forbidden, "no")
			return &refusal
		}}
		w := connect(t, d, nil, true)
		body, known := text(3000), opaque(4209, "Basic")
		want(t, w.one(part(1, body, 0, blockwise.SZX1024)), message.Acknowledgement, codes.Forbidden, 1, message.Token{1, 2, 1})
		if w.uploads != nil {
			t.Error("something is kept of a client that is not admitted")
		}
		for i, tag := range []string{"a", "b", "c"} {
			got := w.one(part(uint16(10+i), body, 0, blockwise.SZX1024, known, opaque(requestTag, tag)))
			if got.Code != codes.Continue {
				t.Errorf("%v", got)
			}
			time.Sleep(time.Second)
		}
		if len(w.uploads) != transfersPerPeer {
			t.Errorf("%d uploads of one client", len(w.uploads))
		}
		if got := w.one(part(20, body, 1, blockwise.SZX1024, known, opaque(requestTag, "a"))); got.Code != codes.RequestEntityIncomplete {
			t.Errorf("the oldest upload goes on: %v", got)
		}
		w.endpoint.transferred.Return("", -(w.endpoint.config.TransferBytes - 1500))
		if got := w.one(part(21, body, 1, blockwise.SZX1024, known, opaque(requestTag, "c"))); got.Code != codes.ServiceUnavailable {
			t.Errorf("%v beyond the bytes that all may have", got)
		}
		w.endpoint.transferred.Return("", w.endpoint.config.TransferBytes-1500)
		w.endpoint.transferred.Return("owner", -(w.endpoint.config.TransferBytes/2 - 1524))
		if got := w.one(part(22, body, 0, blockwise.SZX1024, known, opaque(requestTag, "d"))); got.Code != codes.Continue {
			t.Errorf("%v within the bytes that one owner may have", got)
		}
		if got := w.one(part(23, body, 1, blockwise.SZX1024, known, opaque(requestTag, "d"))); got.Code != codes.ServiceUnavailable {
			t.Errorf("%v beyond the bytes that one owner may have", got)
		}
		w.endpoint.transferred.Return("owner", w.endpoint.config.TransferBytes/2-1524)
		w.Close()
		if n := w.endpoint.transferred.Len(); n != 0 {
			t.Errorf("%d bytes are kept of a client that is gone", n)
		}
	})
}

// answering is a handler that always says the same.
func answering(r Response) *desk {
	return &desk{serve: func(_ *Request, reply func(Response)) { reply(r) }}
}

// fetch asks for the further blocks of a response.
func fetch(t *testing.T, w *wire, mid uint16, first message.Message) []byte {
	t.Helper()
	body := bytes.Clone(first.Payload)
	value, ok := number(first, message.Block2)
	szx, num, more, err := blockwise.DecodeBlockOption(value)
	if !ok || err != nil || num != 0 {
		t.Fatalf("the response begins with block %d", num)
	}
	size, _ := number(first, message.Size2)
	tag, _ := (&Request{message: first}).First(message.ETag)
	for more {
		num++
		mid++
		got := w.one(post(message.Confirmable, mid, "", uintOption(message.Block2, blockOf(int(num), false, szx))))
		value, _ := number(got, message.Block2)
		_, gotNum, gotMore, _ := blockwise.DecodeBlockOption(value)
		if own, _ := (&Request{message: got}).First(message.ETag); gotNum != num || !bytes.Equal(own, tag) {
			t.Fatalf("block %d is answered with %d, ETag %x after %x", num, gotNum, own, tag)
		}
		body, more = append(body, got.Payload...), gotMore
	}
	if int(size) != len(body) {
		t.Errorf("Size2 is %d for %d bytes", size, len(body))
	}
	return body
}

func TestDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := text(3000)
		w := connect(t, answering(Response{Code: codes.Content, Body: []byte(body), Options: message.Options{opaque(4210, "name")}}), nil, true)
		first := w.one(post(message.Confirmable, 1, "x"))
		if name, _ := (&Request{message: first}).First(4210); string(name) != "name" || len(first.Payload) != 1024 {
			t.Errorf("%v", first)
		}
		if got := fetch(t, w, 1, first); string(got) != body {
			t.Errorf("fetched %q", got)
		}
		small := w.one(post(message.Confirmable, 100, "x", uintOption(message.Block2, blockOf(0, false, blockwise.SZX64))))
		if got := fetch(t, w, 100, small); string(got) != body || len(small.Payload) != 64 {
			t.Errorf("fetched %q", got)
		}
		if got := len(w.desk.bodies()); got != 2 {
			t.Errorf("served %d times, want 2: further blocks are no requests", got)
		}
		if n := w.endpoint.transferred.Len(); n != 0 || w.downloads != nil {
			t.Errorf("%d bytes are kept", n)
		}
	})
}

func TestDownloadsThatGoWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, answering(Response{Code: codes.Content, Body: []byte(text(3000))}), nil, true)
		f := func(mid uint16, num int, want codes.Code) {
			t.Helper()
			if got := w.one(post(message.Confirmable, mid, "", uintOption(message.Block2, blockOf(num, false, blockwise.SZX1024)))); got.Code != want {
				t.Errorf("block %d: %v, want %v", num, got, want)
			}
		}
		f(1, 1, codes.RequestEntityIncomplete)
		f(2, 0, codes.Content)
		f(3, 3, codes.BadRequest)
		f(4, 1, codes.Content)
		time.Sleep(DefaultConfig().TransferTimeout + 2*sweepPause)
		f(5, 2, codes.RequestEntityIncomplete)
		for i, query := range []string{"a", "b", "c"} {
			w.one(post(message.Confirmable, uint16(10+i), "", opaque(message.URIQuery, query)))
			time.Sleep(time.Second)
		}
		if len(w.downloads) != transfersPerPeer {
			t.Errorf("%d downloads of one client", len(w.downloads))
		}
		w.endpoint.transferred.Return("", -(w.endpoint.config.TransferBytes - 1500))
		if got := w.one(post(message.Confirmable, 20, "x")); got.Code != codes.ServiceUnavailable {
			t.Errorf("%v beyond the bytes that all may have", got)
		}
	})
}

// TestUploadThenDownload has a large request answered by a large response.
func TestUploadThenDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, &desk{serve: func(r *Request, reply func(Response)) {
			reply(Response{Code: codes.Content, Body: bytes.ToUpper(r.Body)})
		}}, nil, true)
		body := text(3000)
		var got message.Message
		for num := range 3 {
			got = w.one(part(uint16(num), body, num, blockwise.SZX1024, uintOption(message.ContentFormat, 0)))
		}
		if _, ok := number(got, message.Block1); !ok {
			t.Errorf("%v lacks the block that it answers", got)
		}
		if got := fetch(t, w, 10, got); string(got) != strings.ToUpper(body) {
			t.Errorf("fetched %q", got)
		}
	})
}
