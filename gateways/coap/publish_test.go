package coap

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/client"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/outcome"
)

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestPublish(t *testing.T) {
	s := start(t, nil)
	conn := s.dial()
	login := basic("device@app", "secret")
	got := do(t, conn, post("/v1/a b/suffix/x", `{"t": 1}`, login).content(50).query("data_schema=urn:x", "other=1"))
	if got.code != codes.Changed || got.body != "" {
		t.Fatalf("%v %q", got.code, got.body)
	}
	record := s.writer.last(t)
	for name, want := range map[string]string{
		"ce_subject": "a b", "ce_device": "device", "ce_deviceuid": "uid-device", "ce_sender": "device", "ce_senderuid": "uid-device",
		"ce_application": "app", "ce_applicationuid": "uid-app", "ce_dataschema": "urn:x", "content-type": "application/json",
	} {
		if got := header(record, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if string(record.Value) != `{"t":1}` {
		t.Errorf("stored %q", record.Value)
	}
	do(t, conn, post("/v1/x", "\x01\x02", login).as(codes.PUT))
	if got := header(s.writer.last(t), "content-type"); got != "application/octet-stream" {
		t.Errorf("content type %q without a Content-Format", got)
	}
	do(t, conn, post("/v1/x", "\x01\x02", login).content(65000))
	if got := header(s.writer.last(t), "content-type"); got != "application/octet-stream" {
		t.Errorf("content type %q with an unknown Content-Format", got)
	}
	do(t, conn, post("/v1/x", "\x01\x02", login).content(60))
	if got := header(s.writer.last(t), "content-type"); got != "application/cbor" {
		t.Errorf("content type %q with Content-Format 60", got)
	}
	large := strings.Repeat("0123456789", 5000)
	if got := do(t, conn, post("/v1/x", large, login)); got.code != codes.Changed || string(s.writer.last(t).Value) != large {
		t.Errorf("a body of %d bytes: %v %q", len(large), got.code, got.body)
	}
}

func TestLogins(t *testing.T) {
	s := start(t, nil)
	s.device("user", `{"authentication":{"credentials":[{"user":{"username":"me","password":"p"}}]}}`)
	s.device("sensor", `{"gatewaySelector":{"matchNames":["device"]}}`)
	s.device("off", `{"core":{"disabled":true},"authentication":{"credentials":[{"pass":"secret"}]}}`)
	conn := s.dial()
	f := func(want codes.Code, queries []string, list ...message.Option) {
		t.Helper()
		before := len(s.writer.all())
		got := do(t, conn, post("/v1/x", "x", list...).query(queries...))
		if got.code != want || (want == codes.Forbidden && got.body != "Authentication failed") {
			t.Errorf("query %q: %v %q, want %v", queries, got.code, got.body, want)
		}
		if stored := len(s.writer.all()) - before; (stored == 1) != (want == codes.Changed) {
			t.Errorf("query %q: stored %d", queries, stored)
		}
	}
	f(codes.Changed, nil, basic("device@app", "secret"))
	f(codes.Changed, nil, message.Option{ID: optionAuthorization, Value: []byte("Basic " + strings.TrimRight(encoded("device@app:secret"), "="))})
	f(codes.Changed, []string{"application=app"}, basic("device", "secret"))
	f(codes.Changed, []string{"application=app", "device=user"}, basic("me", "p"))
	f(codes.Changed, []string{"application=app&device=user"}, basic("me", "p"))
	f(codes.Changed, []string{"device=user"}, basic("me@app", "p"))
	f(codes.Changed, []string{"as=sensor"}, basic("device@app", "secret"))
	if r := s.writer.last(t); header(r, "ce_device") != "sensor" || header(r, "ce_sender") != "device" {
		t.Errorf("of %q, sent by %q", header(r, "ce_device"), header(r, "ce_sender"))
	}
	f(codes.Forbidden, nil)
	f(codes.Forbidden, nil, basic("device@app", "wrong"))
	f(codes.Forbidden, nil, basic("nobody@app", "secret"))
	f(codes.Forbidden, nil, basic("off@app", "secret"))
	f(codes.Forbidden, nil, basic("device", "secret"))
	f(codes.Forbidden, nil, message.Option{ID: optionAuthorization, Value: []byte("Bearer x")})
	f(codes.Forbidden, []string{"as=user"}, basic("device@app", "secret"))
	f(codes.Forbidden, []string{"as=nobody"}, basic("device@app", "secret"))
}

func TestRefusals(t *testing.T) {
	s := start(t, nil)
	conn := s.dial()
	login := basic("device@app", "secret")
	f := func(want codes.Code, text string, a ask) {
		t.Helper()
		got := do(t, conn, a)
		if got.code != want || !strings.Contains(got.body, text) {
			t.Errorf("%v %q: %v %q, want %v %q", a.code, a.path, got.code, got.body, want, text)
		}
		age, err := got.options.GetUint32(message.MaxAge)
		if (want == codes.ServiceUnavailable) != (err == nil && age == outcome.RetryAfter) {
			t.Errorf("%v with Max-Age %d", got.code, age)
		}
	}
	f(codes.BadRequest, "path", post("/", "x", login))
	f(codes.BadRequest, "path", post("/v1", "x", login))
	f(codes.BadRequest, "path", post("/v2/x", "x", login))
	f(codes.NotFound, "", post("/.well-known/core", "", login).as(codes.GET))
	f(codes.BadRequest, "path", post("/.well-known", "", login).as(codes.GET))
	f(codes.BadRequest, "UTF-8", post("/v1/x\xff", "x", login))
	f(codes.BadRequest, "control", post("/v1/a\x01", "x", login))
	f(codes.BadRequest, "ct", post("/v1/x", "x", login).query("ct=abc"))
	f(codes.BadRequest, "data_schema", post("/v1/x", "x", login).query("data_schema=mod5"))
	f(codes.BadRequest, "more than once", post("/v1/x", "x", login).query("as=a", "as=b"))
	f(codes.BadRequest, "UTF-8", post("/v1/x", "x", login).query("as=\xff"))
	f(codes.MethodNotAllowed, "", post("/v1/x", "x", login).as(codes.GET))
	f(codes.MethodNotAllowed, "", post("/v1/x", "x", login).as(codes.DELETE))
	f(codes.MethodNotAllowed, "", post("/v1/commands/x", "", login).as(codes.GET))
	f(codes.MethodNotAllowed, "", post("/v1/x", "x", login).as(codes.Code(5)))
	f(codes.MethodNotAllowed, "", post("/v1/x", "x", login).as(codes.Code(31)))
	f(codes.BadOption, "65001", post("/v1/x", "x", login, message.Option{ID: 65001, Value: []byte("x")}))
	f(codes.NotAcceptable, "JSON", post("/v1/x", "{", login).content(50))
	f(codes.RequestEntityTooLarge, "", post("/v1/x", strings.Repeat("x", 64<<10+1), login))
	if len(s.writer.all()) != 0 {
		t.Errorf("%d messages are stored", len(s.writer.all()))
	}
	s.writer.fail(outcome.New(outcome.Overloaded, "too many messages wait for Kafka"))
	f(codes.ServiceUnavailable, "Kafka", post("/v1/x", "x", login))
	s.writer.fail(outcome.New(outcome.Unavailable, "Kafka did not answer in time"))
	f(codes.ServiceUnavailable, "Kafka", post("/v1/x", "x", login))
	s.writer.fail(errors.New("surprise"))
	f(codes.InternalServerError, "could not be stored", post("/v1/x", "x", login))
	s.fail(errors.New("the database is away"))
	f(codes.ServiceUnavailable, "Failed to authenticate", post("/v1/x", "x", basic("other@app", "secret")))
}

// TestOnlyAdmittedDevicesSendBlocks has nothing kept of a large body whose sender is not admitted.
func TestOnlyAdmittedDevicesSendBlocks(t *testing.T) {
	s := start(t, nil)
	if got := do(t, s.dial(), post("/v1/x", strings.Repeat("x", 5000), basic("device@app", "wrong"))); got.code != codes.Forbidden {
		t.Errorf("%v %q", got.code, got.body)
	}
	if got := do(t, s.dial(), post("/v2/x", strings.Repeat("x", 5000), basic("device@app", "secret"))); got.code != codes.BadRequest {
		t.Errorf("%v %q", got.code, got.body)
	}
}

// TestAnswerWhenStored has the answer wait for Kafka, and further requests not wait for the answer.
func TestAnswerWhenStored(t *testing.T) {
	s := start(t, func(c *Config) { c.Message.AckDelay = 10 * time.Millisecond }, func(s *site) { s.writer.held = make(chan func(), 10) })
	conn := s.dial()
	first, second := make(chan reply, 1), make(chan reply, 1)
	go func() { first <- do(t, conn, post("/v1/x", "1", basic("device@app", "secret"))) }()
	finishFirst := <-s.writer.held
	go func() { second <- do(t, s.dial(), post("/v1/x", "2", basic("device@app", "secret"))) }()
	finishSecond := <-s.writer.held
	finishSecond()
	if got := <-second; got.code != codes.Changed {
		t.Errorf("%v", got.code)
	}
	select {
	case got := <-first:
		t.Errorf("answered with %v before the message is stored", got.code)
	default:
	}
	finishFirst()
	if got := <-first; got.code != codes.Changed {
		t.Errorf("%v", got.code)
	}
}

// send gives a command to whoever waits for it.
func (s *site) send(t testing.TB, c command.Command) {
	t.Helper()
	c.Application = "app"
	eventually(t, "somebody to listen", func() bool { return s.hub.Deliver(c).Taken() > 0 })
}

func TestWaitForACommand(t *testing.T) {
	s := start(t, func(c *Config) { c.Message.AckDelay = 10 * time.Millisecond })
	s.device("sensor", `{"gatewaySelector":{"matchNames":["device"]}}`)
	conn := s.dial()
	wait := func(queries ...string) <-chan reply {
		answered := make(chan reply, 1)
		go func() { answered <- do(t, conn, post("/v1/x", "x", basic("device@app", "secret")).query(queries...)) }()
		return answered
	}
	f := func(got reply, name, body string) {
		t.Helper()
		if got.code != codes.Content || got.option(optionCommand) != name || got.body != body {
			t.Errorf("%v, command %q, %q", got.code, got.option(optionCommand), got.body)
		}
	}
	own := wait("ct=60")
	s.send(t, command.Command{Gateway: "device", Device: "device", Name: "set", Payload: []byte("on"), ContentType: "application/json"})
	got := <-own
	f(got, "set", "on")
	if format, err := got.options.ContentFormat(); err != nil || format != message.AppJSON {
		t.Errorf("Content-Format %v, %v", format, err)
	}
	large := strings.Repeat("0123456789", 300)
	proxied := wait("as=sensor", "ct=60")
	s.send(t, command.Command{Gateway: "device", Device: "sensor", Name: "read", Payload: []byte(large)})
	f(<-proxied, "read", large)

	// While one request waits, others are served, and what is for another device reaches nobody.
	waiting := wait("ct=60")
	eventually(t, "a request to wait", func() bool { return s.waiting.Len() == 1 })
	if got := do(t, conn, post("/v1/x", "y", basic("device@app", "secret"))); got.code != codes.Changed {
		t.Errorf("%v", got.code)
	}
	if n := s.hub.Deliver(command.Command{Application: "app", Gateway: "device", Device: "sensor", Name: "x"}).Taken(); n != 0 {
		t.Errorf("a command for another device reached %d", n)
	}
	s.device("device", `{"core":{"disabled":true}}`)
	if got := <-waiting; got.code != codes.Changed {
		t.Errorf("a device that is locked out while it waits gets %v", got.code)
	}
}

// TestWaitIsReadmitted changes devices while a request waits: it goes on waiting as long as its device is admitted.
func TestWaitIsReadmitted(t *testing.T) {
	const sensor, device = `{"gatewaySelector":{"matchNames":["device"]}}`, `{"authentication":{"credentials":[{"pass":"secret"},{"psk":{"key":"a2V5"}}]}}`
	s := start(t, func(c *Config) { c.Message.AckDelay = 10 * time.Millisecond })
	s.device("sensor", sensor)
	f := func(conn *client.Conn, of string, change func(), want codes.Code, message ask) {
		t.Helper()
		answered := make(chan reply, 1)
		go func() { answered <- do(t, conn, message.query("ct=60")) }()
		eventually(t, "the request to wait", func() bool { return s.waiting.Len() > 0 })
		change()
		if want == codes.Content {
			s.send(t, command.Command{Gateway: "device", Device: of, Name: "on"})
		}
		if got := <-answered; got.code != want {
			t.Errorf("%s: %v, want %v", of, got.code, want)
		}
		s.device("device", device)
	}
	again := func() {
		for range 3 {
			s.device("device", device)
			s.device("sensor", sensor)
		}
	}
	disabled := func() { s.device("device", `{"core":{"disabled":true}}`) }
	plain, secure, login := s.dial(), s.secure(preShared("device@app", "key")...), basic("device@app", "secret")
	f(plain, "device", again, codes.Content, post("/v1/x", "x", login))
	f(plain, "sensor", again, codes.Content, post("/v1/x", "x", login).query("as=sensor"))
	f(secure, "device", again, codes.Content, post("/v1/x", "x"))
	f(secure, "sensor", again, codes.Content, post("/v1/x", "x").query("as=sensor"))
	f(plain, "device", disabled, codes.Changed, post("/v1/x", "x", login))
}

func TestWaitsEnd(t *testing.T) {
	s := start(t, func(c *Config) {
		c.Message.AckDelay, c.MaxWait, c.MaxWaiting = 10*time.Millisecond, 50*time.Millisecond, 1
	})
	login := basic("device@app", "secret")
	if got := do(t, s.dial(), post("/v1/x", "x", login).query("ct=60")); got.code != codes.Changed {
		t.Errorf("after the longest time: %v", got.code)
	}
	s.waiting.Enter("app", "other", nil)
	if got := do(t, s.dial(), post("/v1/x", "x", login).query("ct=60")); got.code != codes.Changed {
		t.Errorf("beyond the bound: %v", got.code)
	}
	if n := s.hub.Deliver(command.Command{Application: "app", Gateway: "device", Device: "device"}).Taken(); n != 0 {
		t.Errorf("%d still listen", n)
	}
}

// TestWhoWaitsMostGivesWay has one device take every place of those that wait, before another one comes.
func TestWhoWaitsMostGivesWay(t *testing.T) {
	s := start(t, func(c *Config) { c.Message.AckDelay, c.MaxWaiting = 10*time.Millisecond, 3 })
	s.device("other", `{"authentication":{"credentials":[{"pass":"secret"}]}}`)
	wait := func(login message.Option) <-chan reply {
		answered := make(chan reply, 1)
		go func() { answered <- do(t, s.dial(), post("/v1/x", "x", login).query("ct=60")) }()
		return answered
	}
	first := wait(basic("device@app", "secret"))
	eventually(t, "the first request to wait", func() bool { return s.waiting.Len() == 1 })
	second, third := wait(basic("device@app", "secret")), wait(basic("device@app", "secret"))
	eventually(t, "every place to be taken", func() bool { return s.waiting.Len() == 3 })
	other := wait(basic("other@app", "secret"))
	if got := <-first; got.code != codes.Changed {
		t.Errorf("who gives way is answered %v", got.code)
	}
	s.send(t, command.Command{Gateway: "other", Device: "other", Name: "on"})
	if got := <-other; got.code != codes.Content {
		t.Errorf("the other one is answered %v", got.code)
	}
	s.send(t, command.Command{Gateway: "device", Device: "device", Name: "on"})
	for _, rest := range []<-chan reply{second, third} {
		if got := <-rest; got.code != codes.Content {
			t.Errorf("who does not give way is answered %v", got.code)
		}
	}
}

func TestPoll(t *testing.T) {
	s := start(t, func(c *Config) { c.Message.AckDelay = 10 * time.Millisecond })
	login := basic("device@app", "secret")
	get := post("/v1/commands", "", login).as(codes.GET)
	if got := do(t, s.dial(), get); got.code != codes.Content || got.body != "" || got.option(optionCommand) != "" {
		t.Errorf("without waiting: %v %q", got.code, got.body)
	}
	answered := make(chan reply, 1)
	go func() { answered <- do(t, s.dial(), get.query("ct=60")) }()
	s.send(t, command.Command{Gateway: "device", Device: "device", Name: "set", Payload: []byte("on")})
	if got := <-answered; got.code != codes.Content || got.body != "on" || got.option(optionCommand) != "set" {
		t.Errorf("%v %q", got.code, got.body)
	}
	if got := do(t, s.dial(), post("/v1/commands", "", basic("device@app", "wrong")).as(codes.GET)); got.code != codes.Forbidden {
		t.Errorf("%v", got.code)
	}
	if got := do(t, s.dial(), post("/v1/commands", "x", login)); got.code != codes.Changed || header(s.writer.last(t), "ce_subject") != "commands" {
		t.Errorf("the channel commands: %v", got.code)
	}
}

// TestAnswerACommand has a device answer the command that came with the answer to its message.
func TestAnswerACommand(t *testing.T) {
	const correlation = "AAAAAAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBBBB"
	s := start(t, func(c *Config) { c.Message.AckDelay = 10 * time.Millisecond })
	login := basic("device@app", "secret")
	answered := make(chan reply, 1)
	go func() { answered <- do(t, s.dial(), post("/v1/x", "x", login).query("ct=60")) }()
	s.send(t, command.Command{Gateway: "device", Device: "device", Name: "get", Respond: true, Correlation: correlation})
	if got := <-answered; got.option(optionCorrelation) != correlation || got.option(optionCommand) != "get" {
		t.Errorf("%v: correlation %q of %q", got.code, got.option(optionCorrelation), got.option(optionCommand))
	}
	f := func(path, query string, want codes.Code, subject string) {
		t.Helper()
		if got := do(t, s.dial(), post(path, "21.5", login).query(query)); got.code != want {
			t.Errorf("%s?%s: %v %q, want %v", path, query, got.code, got.body, want)
		}
		if subject == "" {
			return
		}
		if r := s.writer.last(t); header(r, "ce_subject") != subject || header(r, "ce_correlationid") != strings.TrimPrefix(query, "correlation=") {
			t.Errorf("%s?%s: the event has headers %v", path, query, r.Headers)
		}
	}
	f("/v1/command/response", "correlation="+correlation, codes.Changed, command.ResponseChannel)
	f("/v1/command/response", "correlation=1", codes.BadRequest, "")
	f("/v1/temp", "correlation="+correlation, codes.BadRequest, "")
	f("/v1/command/response", "", codes.Changed, "command")
}
