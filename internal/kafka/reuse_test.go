package kafka

import (
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/fairlead/fairlead/internal/outcome"
)

// A cut ends the next connection on which the broker answers while it is armed, in place of the answer.
type cut struct{ armed atomic.Bool }

func (c *cut) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	return cutListener{l, c}, err
}

type cutListener struct {
	net.Listener
	cut *cut
}

func (l cutListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return cutConn{conn, l.cut}, err
}

type cutConn struct {
	net.Conn
	cut *cut
}

func (c cutConn) Write(b []byte) (int, error) {
	if c.cut.armed.Swap(false) {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// TestNoRecordIsTakenForOneThatFailed has a broker store a record without its answer getting through, and say afterwards that it does not
// know the topic, as one that has just started does. The client gives up the record, and gives its sequence number to the next one,
// which the broker takes for a repetition: it acknowledges it and does not store it.
func TestNoRecordIsTakenForOneThatFailed(t *testing.T) {
	f := func(code *kerr.Error, stored bool) {
		t.Helper()
		var cut cut
		c, config := cluster(t, kfake.ListenFn(cut.listen))
		p := producer(t, config)
		if err := send(p, "events-x", "before"); err != nil {
			t.Fatal(err)
		}
		var requests atomic.Int32
		c.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			switch n := requests.Add(1); {
			case n == 1 && stored:
				cut.armed.Store(true)
			case n <= 3:
				return refusal(request.(*kmsg.ProduceRequest), code.Code), nil, true
			}
			return nil, nil, false
		})
		if err := send(p, "events-x", "uncertain"); outcome.Of(err) != outcome.Unavailable {
			t.Fatalf("%v: the record without an answer: %v", code, err)
		}
		acknowledged := []string{"before"}
		for _, value := range []string{"next", "last"} {
			switch err := send(p, "events-x", value); outcome.Of(err) {
			case outcome.Accepted:
				acknowledged = append(acknowledged, value)
			case outcome.Unavailable:
			default:
				t.Errorf("%v: %s: %v", code, value, err)
			}
		}
		if last := acknowledged[len(acknowledged)-1]; last != "last" {
			t.Errorf("%v: nothing is taken after %s", code, last)
		}
		found := values(t, config)
		for _, value := range acknowledged {
			if !slices.Contains(found, value) {
				t.Errorf("%v: %q was acknowledged and is not stored; %q is", code, value, found)
			}
		}
	}
	f(kerr.UnknownTopicOrPartition, true)
	f(kerr.UnknownTopicID, true)
	f(kerr.UnknownTopicOrPartition, false)
	f(kerr.UnknownTopicID, false)
}

// refusal answers a request to produce with an error.
func refusal(request *kmsg.ProduceRequest, code int16) kmsg.Response {
	response := request.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range request.Topics {
		answer := kmsg.NewProduceResponseTopic()
		answer.Topic, answer.TopicID = topic.Topic, topic.TopicID
		for _, partition := range topic.Partitions {
			of := kmsg.NewProduceResponseTopicPartition()
			of.Partition, of.ErrorCode = partition.Partition, code
			answer.Partitions = append(answer.Partitions, of)
		}
		response.Topics = append(response.Topics, answer)
	}
	return response
}

// values reads what the topic has.
func values(t *testing.T, config Config) (all []string) {
	t.Helper()
	client, err := NewClient(config, kgo.ConsumeTopics("events-x"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), "events-x")
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup("events-x", 0)
	for int64(len(all)) < end.Offset {
		client.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) { all = append(all, string(r.Value)) })
	}
	return all
}
