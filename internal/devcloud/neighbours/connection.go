package neighbours

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// requestHeader is what each request begins with: its length, key, version and correlation id.
	requestHeader = 4 + 2 + 2 + 4
	// responseHeader is what each answer begins with: its length and the correlation id.
	responseHeader = 4 + 4
	// maxAsked bounds the requests that are remembered. The broker answers those of a connection one after the other.
	maxAsked = 16
)

type watchedListener struct {
	net.Listener
	disk *disk
}

// Accept takes a connection whose answers are looked at.
func (l *watchedListener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: raw, disk: l.disk}
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	if l.disk.failed != nil {
		_ = raw.Close()
		return nil, l.disk.failed
	}
	l.disk.connections[c] = true
	return c, nil
}

// A connection holds each answer back until what it says is on disk.
type connection struct {
	net.Conn
	disk *disk

	header []byte // of the request that is being read
	rest   int    // bytes of that request that are still to come

	mu    sync.Mutex
	asked []request // the oldest first
}

type request struct {
	correlation int32
	key         kmsg.Key
	version     int16
}

// Read notes the requests that pass.
func (c *connection) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	c.note(into[:n])
	return n, err
}

func (c *connection) note(part []byte) {
	for len(part) > 0 {
		if c.rest > 0 {
			n := min(c.rest, len(part))
			c.rest, part = c.rest-n, part[n:]
			continue
		}
		n := min(requestHeader-len(c.header), len(part))
		c.header, part = append(c.header, part[:n]...), part[n:]
		if len(c.header) < requestHeader {
			return
		}
		c.rest = max(0, int(binary.BigEndian.Uint32(c.header))-(requestHeader-4))
		c.ask(request{
			key:         kmsg.Key(binary.BigEndian.Uint16(c.header[4:])),
			version:     int16(binary.BigEndian.Uint16(c.header[6:])),
			correlation: int32(binary.BigEndian.Uint32(c.header[8:])),
		})
		c.header = c.header[:0]
	}
}

func (c *connection) ask(r request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.asked) == maxAsked {
		c.asked = c.asked[1:] // one that has no answer
	}
	c.asked = append(c.asked, r)
}

// answered finds the request of an answer. Those before it have none.
func (c *connection) answered(correlation int32) (request, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, r := range c.asked {
		if r.correlation == correlation {
			c.asked = append(c.asked[:0], c.asked[i+1:]...)
			return r, true
		}
	}
	return request{}, false
}

// errUnclear ends a connection whose answers cannot be followed. Nothing is wrong with the disk.
var errUnclear = errors.New("the answer to a request is not understood")

// Write sends an answer, of which the broker gives a whole one each time, if it is true.
func (c *connection) Write(answer []byte) (int, error) {
	err := c.check(answer)
	switch {
	case err == nil:
		err = c.disk.failure() // of another request meanwhile
	case !errors.Is(err, errUnclear):
		err = c.disk.fail(err)
	}
	if err != nil {
		_ = c.Conn.Close()
		return 0, err
	}
	return c.Conn.Write(answer)
}

func (c *connection) check(answer []byte) error {
	if len(answer) < responseHeader {
		return errUnclear
	}
	r, ok := c.answered(int32(binary.BigEndian.Uint32(answer[4:])))
	if !ok {
		return errUnclear
	}
	switch r.key {
	case kmsg.Produce:
		return c.produced(r.version, answer[responseHeader:])
	case kmsg.OffsetCommit, kmsg.TxnOffsetCommit:
		return c.disk.noted("groups.log")
	case kmsg.InitProducerID, kmsg.EndTxn:
		return c.disk.noted("pids.log")
	case kmsg.CreateTopics, kmsg.CreatePartitions:
		return c.disk.noted("") // the folder: the file that lists the topics was replaced
	default:
		return nil
	}
}

// produced returns when everything is on disk of which the answer says that it is stored.
func (c *connection) produced(version int16, body []byte) error {
	response := kmsg.NewPtrProduceResponse()
	response.SetVersion(version)
	if response.IsFlexible() && len(body) > 0 {
		body = body[1:] // tagged fields of the header, of which there are none
	}
	if err := response.ReadFrom(body); err != nil {
		return fmt.Errorf("%w: %w", errUnclear, err)
	}
	for _, topic := range response.Topics {
		for _, partition := range topic.Partitions {
			if partition.ErrorCode != 0 {
				continue
			}
			if err := c.disk.stored(topic.Topic, partition.Partition, partition.BaseOffset); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close ends the connection.
func (c *connection) Close() error {
	c.disk.mu.Lock()
	delete(c.disk.connections, c)
	c.disk.mu.Unlock()
	return c.Conn.Close()
}
