package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/test/mqttclient"
)

const (
	mqttLoadCommand = "mqttload"
	mqttSinkCommand = "mqttsink"

	// publishers are connected at once, each as a device of its own.
	publishers = 100

	// window is how many messages of one connection wait for their acknowledgement at once.
	window = 32

	// beat is how often a connection sends where a rate is given: a device that sends now and then sends several messages.
	beat = 10 * time.Millisecond

	publishTopic = "bench"
)

// A publishReport is what a load of publishers tells on its output.
type publishReport struct {
	Acknowledged int           `json:"acknowledged"`
	Elapsed      time.Duration `json:"elapsed"`
	Median       time.Duration `json:"median"` // from PUBLISH to PUBACK
	P99          time.Duration `json:"p99"`
	Busy         float64       `json:"busy"` // share of its core that the publishers used
}

// mqttLoad publishes on all connections until the time is over and reports.
func mqttLoad(ctx context.Context, arguments []string, output io.Writer) error {
	flags := flag.NewFlagSet(mqttLoadCommand, flag.ContinueOnError)
	address := flags.String("address", "", "of the server, host:port")
	anonymous := flags.Bool("anonymous", false, "whether no user is given")
	rate := flags.Float64("rate", 0, "messages in a second of all connections; 0: as many as are acknowledged")
	duration := flags.Duration("duration", time.Second, "how long to publish")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	runtime.GOMAXPROCS(1) // as the other load
	var all []*publisher
	for i := range publishers {
		user := benchUser(i)
		if *anonymous {
			user = ""
		}
		client, err := mqttclient.Dial(ctx, mqttclient.TCP(*address), deviceName(i), user, benchPassword)
		if err != nil {
			return err
		}
		all = append(all, newPublisher(client))
	}
	report, err := publishAll(all, *duration, *rate/publishers)
	if err != nil {
		return err
	}
	return json.NewEncoder(output).Encode(report)
}

func publishAll(all []*publisher, duration time.Duration, rate float64) (publishReport, error) {
	began, busy := time.Now(), startBusyness()
	results := make(chan error, len(all))
	for i, p := range all {
		// Spread over the first interval, so that a rate does not come in bursts of all.
		offset := time.Duration(0)
		if rate > 0 {
			offset = max(beat, time.Duration(float64(time.Second)/rate)) * time.Duration(i) / time.Duration(len(all))
		}
		go func() { results <- p.run(began.Add(offset), began.Add(duration), rate) }()
	}
	var failure error
	failed := 0
	for range all {
		if err := <-results; err != nil {
			failed++
			failure = cmp.Or(failure, err)
		}
	}
	if failed > 1 {
		failure = fmt.Errorf("%d connections failed, one of them: %w", failed, failure)
	}
	report := publishReport{Elapsed: time.Since(began), Busy: busy.share()}
	var latencies sample[time.Duration]
	for _, p := range all {
		report.Acknowledged += p.acknowledged
		latencies = append(latencies, p.latencies...)
	}
	if failure == nil && len(latencies) > 0 {
		report.Median, report.P99 = latencies.median(), latencies.quantile(0.99)
	}
	return report, failure
}

// A publisher is one connection. One goroutine writes, one reads acknowledgements.
type publisher struct {
	*mqttclient.Client
	packet []byte
	id     int // where the packet identifier lies in the packet

	places         chan struct{} // a message takes one until it is acknowledged
	deaf           chan struct{} // closed when no acknowledgement can come any more
	written, beats int
	batch          []byte

	sent         [window]time.Time
	finished     atomic.Bool
	enough       atomic.Bool // it publishes nothing more
	acknowledged int
	latencies    sample[time.Duration]
	dues         []time.Time // from when each latency counts
}

func newPublisher(c *mqttclient.Client) *publisher {
	p := &publisher{Client: c, places: make(chan struct{}, window), deaf: make(chan struct{})}
	p.packet, p.id = mqttclient.AppendPublish(nil, publishTopic, []byte(body()))
	return p
}

// run publishes until the end, with a rate if that is not 0, and waits for the last acknowledgement.
func (p *publisher) run(begin, end time.Time, rate float64) error {
	defer p.Conn.Close()
	if err := p.Conn.SetDeadline(end.Add(answerTimeout)); err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() { written <- p.write(begin, end, rate) }()
	err := p.collect()
	close(p.deaf)
	if p.finished.Load() {
		err = nil // the writer has ended the collection
	}
	return errors.Join(err, <-written)
}

// write writes as many messages with one call as there are places or, with a rate, as are due. At the end it waits until
// all places are free, and ends the collection.
func (p *publisher) write(begin, end time.Time, rate float64) error {
	write := p.writeFree
	if rate > 0 {
		write = func(time.Time) error { return p.writeDue(begin, rate) }
	}
	for now := begin; now.Before(end) && !p.enough.Load(); now = time.Now() {
		if err := write(now); err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
	}
	for range window {
		if err := p.wait(); err != nil {
			return err
		}
	}
	p.finished.Store(true)
	return p.Conn.SetReadDeadline(time.Now())
}

// writeFree fills all places, at least one.
func (p *publisher) writeFree(now time.Time) error {
	if err := p.wait(); err != nil {
		return err
	}
	batch := p.take(p.batch[:0], now)
	for p.free() {
		batch = p.take(batch, now)
	}
	p.batch = batch
	_, err := p.Conn.Write(batch)
	return err
}

// writeDue waits for the next beat and writes what is due then. The time of a message counts from its beat, however late this program is
// and however long the message waits for a place: who sends does not wait for answers.
func (p *publisher) writeDue(begin time.Time, rate float64) error {
	p.beats = max(p.beats, int(float64(p.written+1)/rate/beat.Seconds())) // nothing is due before
	at := begin.Add(time.Duration(p.beats) * beat)
	time.Sleep(time.Until(at))
	p.beats++
	batch := p.batch[:0]
	for due := int(at.Sub(begin).Seconds() * rate); p.written < due; {
		if !p.free() {
			if _, err := p.Conn.Write(batch); err != nil {
				return err
			}
			batch = batch[:0]
			if err := p.wait(); err != nil {
				return err
			}
		}
		batch = p.take(batch, at)
	}
	p.batch = batch
	_, err := p.Conn.Write(batch)
	return err
}

var errDeaf = errors.New("no acknowledgement comes any more")

// wait takes a place as soon as there is one.
func (p *publisher) wait() error {
	select {
	case p.places <- struct{}{}:
		return nil
	case <-p.deaf:
		return errDeaf
	}
}

// free takes a place if there is one.
func (p *publisher) free() bool {
	select {
	case p.places <- struct{}{}:
		return true
	default:
		return false
	}
}

// take appends the next message. Identifiers repeat after the window, when the message before is acknowledged.
func (p *publisher) take(batch []byte, now time.Time) []byte {
	slot := p.written % window
	p.written++
	p.sent[slot] = now
	at := len(batch) + p.id
	batch = append(batch, p.packet...)
	binary.BigEndian.PutUint16(batch[at:], uint16(slot+1))
	return batch
}

// collect reads acknowledgements, which come in order, until reading fails.
func (p *publisher) collect() error {
	var puback [4]byte
	for {
		if _, err := io.ReadFull(p.Reader, puback[:]); err != nil {
			return fmt.Errorf("after %d acknowledgements: %w", p.acknowledged, err)
		}
		if puback[0] != mqttclient.Puback || int(puback[3]) != p.acknowledged%window+1 {
			return fmt.Errorf("instead of acknowledgement %d came %x", p.acknowledged, puback)
		}
		due := p.sent[p.acknowledged%window]
		p.latencies, p.dues = append(p.latencies, time.Since(due)), append(p.dues, due)
		p.acknowledged++
		<-p.places
	}
}

// mqttSink subscribes to everything and acknowledges it until ctx ends.
func mqttSink(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet(mqttSinkCommand, flag.ContinueOnError)
	address := flags.String("address", "", "of the broker, host:port")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	c, err := mqttclient.Dial(ctx, mqttclient.TCP(*address), "sink", "", "")
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = c.Conn.Close() })
	if err := c.Subscribe(); err != nil {
		return err
	}
	var answers []byte
	for {
		kind, packet, err := c.ReadPacket()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if id := 2 + len(publishTopic); kind == mqttclient.Publish && len(packet) >= id+2 {
			answers = append(answers, mqttclient.Puback, 2, packet[id], packet[id+1])
		}
		if c.Reader.Buffered() > 0 {
			continue
		}
		if _, err := c.Conn.Write(answers); err != nil {
			return err
		}
		answers = answers[:0]
	}
}
