package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/tracing"
)

// A Writer stores records; kafka.Producer is one. It calls done exactly once, with nil when the record is stored and
// with an error that carries an outcome otherwise, and keeps the order of calls with the same key.
type Writer interface {
	Write(ctx context.Context, record *kgo.Record, done func(error))
}

// A Config is what a pipeline needs to know.
type Config struct {
	Instance string `doc:"name of this installation, the extension attribute instance of every event"`
	MaxBody  int    `doc:"largest body of a message in bytes"`
}

// DefaultConfig has the values of the wire contract.
func DefaultConfig() Config { return Config{Instance: "drogue", MaxBody: 64 << 10} }

// Validate names the first bad field.
func (c *Config) Validate() error {
	if c.Instance == "" || event.ValidateExtension("x", c.Instance) != nil {
		return errors.New("instance: must be a short text without control characters")
	}
	if c.MaxBody < 1 || c.MaxBody > 900<<10 {
		return errors.New("maxBody: must lie between 1 and 921600, which Kafka's own default limit leaves room for")
	}
	return nil
}

// A Pipeline turns messages into events and stores them.
type Pipeline struct {
	config  Config
	writer  Writer
	metrics *pipelineMetrics
	tracer  tracing.Tracer
	now     func() time.Time
	newID   func() string

	refusals *refusal.Log // of adapters; nil for none
	answers  Answers      // nil: nobody waits
}

// New makes a pipeline that stores events with a writer.
func New(c Config, w Writer) *Pipeline {
	uuid.EnableRandPool()
	return &Pipeline{config: c, writer: w, metrics: newPipelineMetrics(), tracer: tracing.New(), now: time.Now, newID: uuid.NewString}
}

// ReportTo has adapters report what they refuse. It is for before the first message.
func (p *Pipeline) ReportTo(refusals *refusal.Log) *Pipeline {
	p.refusals = refusals
	return p
}

// Refusals is where adapters report what they refuse, at whatever step; nil takes reports, too.
func (p *Pipeline) Refusals() *refusal.Log { return p.refusals }

// MaxBody is the largest body of a message in bytes. Adapters stop reading there.
func (p *Pipeline) MaxBody() int { return p.config.MaxBody }

// Publish turns a message of an admitted device into an event and calls done exactly once with the outcome; for
// outcome.Accepted that is after Kafka's acknowledgement. done may be called before Publish returns, and must not block.
// The message is about the device as, or about the session's target if as is nil. Messages of one sender are stored in
// the order of the calls. The trace context of ctx goes into the event.
func (p *Pipeline) Publish(ctx context.Context, from *auth.Session, as *registry.Device, m Message, done func(outcome.Result)) {
	_, span := p.tracer.Start(ctx, tracing.Pipeline)
	counted := p.metrics.begin(&m)
	e, err := p.build(from, as, &m)
	r := outcome.ResultOf(err)
	tracing.End(span, r.Outcome.String(), false)
	if err != nil {
		p.finish(counted, r, done)
		return
	}
	// The rules of the application go here: they judge and change e before it is written.
	p.write(ctx, e, counted, p.answering(e, &m, done))
}

// write stores an event.
func (p *Pipeline) write(ctx context.Context, e *event.Event, counted begun, done func(outcome.Result)) {
	topic := event.Topic(e.Origin.Application)
	ctx, span := p.tracer.StartKafka(ctx, topic)
	e.TraceParent, e.TraceState = tracing.Of(ctx)
	p.writer.Write(ctx, e.Record(topic), func(err error) {
		r := outcome.ResultOf(err)
		tracing.End(span, r.Outcome.String(), !r.Outcome.Good())
		p.finish(counted, r, done)
	})
}

// Check tells, as an error with an outcome, whether Publish would refuse a message for what it is, without publishing it:
// for messages that are published later, when nobody is there to hear of it.
func (p *Pipeline) Check(m Message) error {
	_, _, err := p.judge(&m)
	return err
}

func (p *Pipeline) finish(counted begun, r outcome.Result, done func(outcome.Result)) {
	p.metrics.count(counted, r.Outcome)
	done(r)
}

// Do is Publish for adapters that wait: it returns the outcome.
func (p *Pipeline) Do(ctx context.Context, from *auth.Session, as *registry.Device, m Message) outcome.Result {
	answer := make(chan outcome.Result, 1)
	p.Publish(ctx, from, as, m, func(r outcome.Result) { answer <- r })
	return <-answer
}

// build makes the event, or says in the sender's terms why there is none.
func (p *Pipeline) build(from *auth.Session, as *registry.Device, m *Message) (*event.Event, error) {
	contentType, data, err := p.judge(m)
	if err != nil {
		return nil, err
	}
	e := &event.Event{
		ID:              m.ID,
		Type:            m.Type,
		Subject:         m.Channel,
		Time:            m.Time,
		DataContentType: contentType,
		DataSchema:      m.DataSchema,
		Origin:          p.origin(from, as),
		Extensions:      extensions(correlated(m)),
		Data:            data,
	}
	p.complete(e)
	return e, nil
}

// judge makes the content of the event, if the message is one.
func (p *Pipeline) judge(m *Message) (contentType string, data []byte, err error) {
	if len(m.Body) > p.config.MaxBody {
		return "", nil, outcome.New(outcome.TooLarge, fmt.Sprintf("the body is larger than %d bytes", p.config.MaxBody))
	}
	if err := validate(m); err != nil {
		return "", nil, outcome.New(outcome.Invalid, err.Error())
	}
	contentType, data, err = event.Normalize(m.ContentType, m.Body)
	if err != nil {
		return "", nil, outcome.New(outcome.Rejected, err.Error())
	}
	return contentType, data, nil
}

// complete fills in what the adapter left to the pipeline.
func (p *Pipeline) complete(e *event.Event) {
	if e.ID == "" {
		e.ID = p.newID()
	}
	if e.Time.IsZero() {
		e.Time = p.now()
	}
	if e.Type == "" {
		e.Type = event.TypeMessage
	}
}

func validate(m *Message) error {
	if err := event.ValidateID(m.ID); err != nil {
		return err
	}
	if err := event.ValidateSubject(m.Channel); err != nil {
		return err
	}
	if err := event.ValidateContentType(m.ContentType); err != nil {
		return err
	}
	if err := event.ValidateDataSchema(m.DataSchema); err != nil {
		return err
	}
	if err := validateAnswer(m); err != nil {
		return err
	}
	for name, value := range m.Extensions {
		if err := event.ValidateExtension(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pipeline) origin(from *auth.Session, as *registry.Device) event.Origin {
	device := from.Target()
	if as != nil {
		device = as
	}
	application, sender := &from.Application.Metadata, &from.Device.Metadata
	return event.Origin{
		Instance:       p.config.Instance,
		Application:    application.Name,
		ApplicationUID: application.UID,
		Device:         device.Metadata.Name,
		DeviceUID:      device.Metadata.UID,
		Sender:         sender.Name,
		SenderUID:      sender.UID,
	}
}

// extensions orders extensions by name, so that equal messages make equal records.
func extensions(m map[string]string) []event.Extension {
	if len(m) == 0 {
		return nil
	}
	list := make([]event.Extension, 0, len(m))
	for name, value := range m {
		list = append(list, event.Extension{Name: name, Value: value})
	}
	slices.SortFunc(list, func(a, b event.Extension) int { return strings.Compare(a.Name, b.Name) })
	return list
}
