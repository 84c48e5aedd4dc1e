package dtls

import (
	"errors"
	"io"
	"testing"
	"time"
)

// TestCloseNotifyIsSent ends many sessions from our side, each while its own goroutine reads.
func TestCloseNotifyIsSent(t *testing.T) {
	e := serve(t, DefaultConfig(), Secrets{}, false)
	for range 50 {
		conn := e.open(t, preShared("device@app", "secret")...)
		talk(t, conn, "hello")
		e.of(t, conn).Close()
		_ = conn.SetReadDeadline(time.Now().Add(waitLimit))
		if _, err := conn.Read(make([]byte, 10)); !errors.Is(err, io.EOF) {
			t.Fatalf("the client reads %v after our close_notify", err)
		}
	}
}
