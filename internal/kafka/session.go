package kafka

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessionTime is how long a session lives at least, unless it is doubtful: who makes a topic again and again does not end it each time.
const sessionTime = time.Second

// A session is a client with its producer id. Kafka knows records by that id and a sequence number, so that one that is sent again is
// not stored twice. The client gives the number of a record that it gives up to the next one. If the first was stored nevertheless, Kafka
// acknowledges the second and does not store it. So nothing that a session is told is believed after it gave up a record that may
// have been stored: it ends, and another with an id of its own takes its place.
type session struct {
	client *kgo.Client
	began  time.Time
	// doubtful is set when a request to store records got no answer.
	doubtful atomic.Bool
	// over is set when a record was given up since.
	over atomic.Bool
}

var _ kgo.HookBrokerE2E = (*session)(nil)

// OnBrokerE2E hears of every request and its answer.
func (s *session) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if key == int16(kmsg.Produce) && e2e.Err() != nil {
		s.doubtful.Store(true)
	}
}

// endsWith tells whether a record that the client gave up ends the session. kerr.UnknownTopicID is said of a topic that was deleted and
// made again: only another client asks for its new id. This one could be told to forget the topic, but it would count from 0 again
// then, which is no new number for a broker that said so because it has just started.
func (s *session) endsWith(err error) bool {
	return s.doubtful.Load() || errors.Is(err, kerr.UnknownTopicID) && time.Since(s.began) > sessionTime
}
