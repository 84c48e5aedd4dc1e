package integration

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/feed"
	"github.com/fairlead/fairlead/internal/stream"
)

// maxPlaces is how many partitions a Last-Event-ID may name.
const maxPlaces = 1000

// events serves a consumer with Server-Sent Events. Each event is a message, whose id says where a client goes on that has no group.
func (w *web) events(out http.ResponseWriter, r *http.Request, session *feed.Session, wanted request) {
	if wanted.acknowledge {
		w.refuse(out, r, 0, invalid("acknowledge: only a WebSocket can"))
		return
	}
	if last := r.Header.Get("Last-Event-ID"); last != "" && wanted.Group == "" {
		var err error
		if wanted.At, err = parsePlace(last); err != nil {
			w.refuse(out, r, 0, err)
			return
		}
	}
	c := w.consumer(session, wanted, remoteOf(r))
	s := &eventStream{consumer: c, out: out, control: http.NewResponseController(out)}
	c.frame = s.frame
	begun := make(chan struct{})
	s.begun = begun
	subscription, err := c.begin(r.Context())
	if err == nil {
		s.place = subscription.Begin()
	}
	close(begun)
	if err != nil {
		w.refuse(out, r, 0, err)
		return
	}
	defer c.close(subscription)
	header := out.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // proxies pass events on at once
	if s.flush(nil) != nil {
		return
	}
	c.write(r.Context(), s.flush, s.comment)
}

// An eventStream is a consumer with Server-Sent Events.
type eventStream struct {
	*consumer
	out     http.ResponseWriter
	control *http.ResponseController
	begun   <-chan struct{}
	place   stream.Place // behind the newest; nil with a group
}

// frame writes an event as a message of one line of data. Who has no group is handed events one after the other.
func (s *eventStream) frame(e *feed.Event) func([]byte) []byte {
	<-s.begun
	return func(b []byte) []byte {
		if s.place != nil {
			s.place[e.Partition] = e.Offset + 1
			b = append(b, "id: "...)
			b = appendPlace(b, s.place)
			b = append(b, '\n')
		}
		b = append(b, "data: "...)
		b = e.AppendJSON(b)
		return append(b, "\n\n"...)
	}
}

func (s *eventStream) flush(messages [][]byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.web.gateway.config.Web.WriteTimeout)); err != nil {
		return err
	}
	for _, m := range messages {
		if _, err := s.out.Write(m); err != nil {
			return err
		}
	}
	return s.control.Flush()
}

// comment shows a client, and the proxies before it, that the stream is alive.
func (s *eventStream) comment() error { return s.flush([][]byte{[]byte(":\n\n")}) }

// appendPlace writes a place as an id: 0-12.1-5 is offset 12 of partition 0 and offset 5 of partition 1.
func appendPlace(b []byte, at stream.Place) []byte {
	var partitions [16]int32
	all := partitions[:0]
	for partition := range at {
		all = append(all, partition)
	}
	slices.Sort(all)
	for i, partition := range all {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendInt(b, int64(partition), 10)
		b = append(b, '-')
		b = strconv.AppendInt(b, at[partition], 10)
	}
	return b
}

// parsePlace reads what appendPlace wrote.
func parsePlace(text string) (stream.Place, error) {
	at := stream.Place{}
	for part := range strings.SplitSeq(text, ".") {
		partition, offset, _ := strings.Cut(part, "-")
		p, err := strconv.ParseInt(partition, 10, 32)
		o, offsetErr := strconv.ParseInt(offset, 10, 64)
		if err != nil || offsetErr != nil || p < 0 || o < 0 || len(at) == maxPlaces {
			return nil, invalid("Last-Event-ID is none of this server")
		}
		at[int32(p)] = o
	}
	return at, nil
}
