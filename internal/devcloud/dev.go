package devcloud

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/devcloud/authority"
	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/devcloud/folder"
	"github.com/fairlead/fairlead/internal/devcloud/manifests"
	"github.com/fairlead/fairlead/internal/devcloud/registryfile"
	"github.com/fairlead/fairlead/internal/tlspsk"
)

const (
	// dispatchDrain is how long deliveries on their way may take to end; what does not is delivered again after the next
	// start.
	dispatchDrain = 8 * time.Second
	// abandonTimeout bounds taking down what a failed start has left.
	abandonTimeout = 15 * time.Second
)

// A Dev is everything in one process.
type Dev struct {
	config     Config
	logger     *slog.Logger
	folder     *folder.Folder
	note       Note
	functions  *Functions
	dispatcher *dispatch.Dispatcher
	example    *authority.Files // of the example's device; nil without the example
	anyCoAP    [2]string        // the addresses for CoAP and CoAP over DTLS, before ports were chosen
	commandURL string           // of the function command, for those who show no token
	failed     chan error       // a part that ended by itself

	running sync.WaitGroup // watchers
	closers []func(context.Context) error
}

// Start brings everything up. When it returns, devices can post, and every event from now on reaches the subscribers of
// the Triggers. The context bounds the start only.
func Start(ctx context.Context, config Config) (_ *Dev, err error) {
	d := &Dev{config: config, logger: config.Logger, failed: make(chan error, 8)}
	if d.logger == nil {
		d.logger = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			closing, cancel := context.WithTimeout(context.Background(), abandonTimeout)
			defer cancel()
			_ = d.Close(closing) // the reason to give up is the one to report
		}
	}()
	if d.folder, err = folder.Open(config.Data); err != nil {
		return nil, err
	}
	d.onClose(func(context.Context) error { return d.folder.Close() })
	// What a user has to change is found before anything slow begins.
	listeners, err := d.listen()
	if err != nil {
		return nil, err
	}
	if err := d.start(ctx, listeners); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Dev) start(ctx context.Context, listeners *listeners) error {
	watching, stopWatching := context.WithCancel(context.Background())
	d.onClose(func(context.Context) error { stopWatching(); return nil })
	if err := d.serveMetrics(listeners.metrics); err != nil {
		return err
	}
	neighbours, err := d.startNeighbours(ctx)
	if err != nil {
		return err
	}
	neighbours.Token = rand.Text()
	d.note.AuthToken = neighbours.Token
	management, err := d.manage(listeners)
	if err != nil {
		return err
	}
	if d.functions, err = assemble(ctx, neighbours, management, d.config.Refused, d.logger); err != nil {
		return fmt.Errorf("starting the functions: %w", err)
	}
	d.onClose(d.functions.Close)
	if err := d.lendToken(ctx, neighbours); err != nil {
		return err
	}

	contents, err := d.followRegistry(ctx, watching, neighbours)
	if err != nil {
		return err
	}
	if err := d.serveReceivers(neighbours, listeners); err != nil {
		return err
	}
	if err := d.followTriggers(ctx, watching, neighbours, listeners, contents); err != nil {
		return err
	}
	d.onClose(serve(newServer(onlyByAddress(d.config.Auth, d.functions.Auth)), listeners.auth, d.fail))
	d.onClose(serve(newServer(assertion.NewVerifier(d.functions.assertion).Handler(frontDoor(d.functions))), listeners.http, d.fail))
	if err := d.serveHTTPS(listeners); err != nil {
		return err
	}
	tracker, err := d.startPresence(neighbours)
	if err != nil {
		return err
	}
	d.serveMQTT(tracker, listeners)
	if err := d.serveOPCUA(tracker, contents); err != nil {
		return err
	}
	if err := d.serveCoAP(); err != nil {
		return err
	}
	if err := d.serveConsumers(neighbours, management, listeners); err != nil {
		return err
	}
	if d.functions.Registry != nil {
		d.onClose(serve(newServer(api(d.functions)), listeners.api, d.fail))
	}
	// The last thing to start is the first to end: nobody changes anything while the rest drains.
	d.onClose(func(context.Context) error {
		stopWatching()
		d.running.Wait()
		return nil
	})
	return d.writeNote(listeners, contents)
}

// onClose adds a step to Close. The steps run in reverse.
func (d *Dev) onClose(step func(context.Context) error) { d.closers = append(d.closers, step) }

// Close ends everything in reverse: what is being answered is answered, what Kafka has not acknowledged is flushed,
// deliveries on their way end, offsets are committed. The context bounds all of it.
func (d *Dev) Close(ctx context.Context) error {
	var problems []error
	for _, step := range slices.Backward(d.closers) {
		if err := step(ctx); err != nil {
			problems = append(problems, err)
		}
	}
	d.closers = nil
	return errors.Join(problems...)
}

// Failed receives the error of a part that ended by itself.
func (d *Dev) Failed() <-chan error { return d.failed }

func (d *Dev) fail(err error) {
	select {
	case d.failed <- err:
	default: // one is enough to end the process
	}
}

// Note says where everything is.
func (d *Dev) Note() Note { return d.note }

// Status lists a snapshot of each Trigger.
func (d *Dev) Status() []dispatch.Status { return d.dispatcher.Status() }

// listeners are the addresses that were taken; some may be nil.
type listeners struct {
	consumers, consumerWeb                                    net.Listener
	http, api, identity, auth, metrics, receiver, deadLetters net.Listener
	mqtt, mqtts, mqttWS, mqttWSS                              net.Listener
	https                                                     *tlspsk.Listener
}

func (d *Dev) listen() (*listeners, error) {
	l := &listeners{}
	wanted := []struct {
		flag, address string
		secure        bool
		into          *net.Listener
	}{
		{"http-address", d.config.HTTP, false, &l.http},
		{"mqtt-tcp-address", d.config.MQTT, false, &l.mqtt},
		{"mqtt-tls-address", d.config.MQTTS, true, &l.mqtts},
		{"mqtt-web-socket-address", d.config.MQTTWS, false, &l.mqttWS},
		{"mqtt-web-socket-tls-address", d.config.MQTTWSS, true, &l.mqttWSS},
		{"integration-mqtt-tcp-address", d.config.Consumers, false, &l.consumers},
		{"integration-web-address", d.config.ConsumerWeb, false, &l.consumerWeb},
		{"api-address", d.config.API, false, &l.api},
		{"identity-address", d.identityAddress(), false, &l.identity},
		{"auth-address", d.config.Auth, false, &l.auth},
		{"metrics-address", d.config.Metrics, false, &l.metrics},
		{"receiver-address", d.config.Receiver, false, &l.receiver},
		{"dead-letters-address", d.config.DeadLetters, false, &l.deadLetters},
	}
	for _, w := range wanted {
		if w.address == "" {
			continue
		}
		listener, err := d.take(w.flag, w.address, w.secure)
		if err != nil {
			return nil, err
		}
		d.onClose(func(context.Context) error { _ = listener.Close(); return nil }) // again, if its server did
		*w.into = listener
	}
	d.chooseCoAP()
	var err error
	l.https, err = d.listenHTTPS()
	return l, err
}

// take takes an address, for TLS with a certificate that lies in the data folder.
func (d *Dev) take(flag, address string, secure bool) (net.Listener, error) {
	if !secure {
		return listen(flag, address)
	}
	files, err := d.authority(address)
	if err != nil {
		return nil, explain(flag, address, err)
	}
	return d.listenSecurely(flag, address, files)
}

// authority makes the certificate for an address, and notes what clients have to trust.
func (d *Dev) authority(address string) (authority.Files, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return authority.Files{}, err
	}
	files, err := authority.Ensure(d.folder.File("tls"), hosts(host)...)
	if err != nil {
		return authority.Files{}, err
	}
	d.note.CA = files.Authority
	return files, nil
}

// hosts are what a certificate has to be for besides this machine.
func hosts(host string) []string {
	if host == "" {
		return nil
	}
	return []string{host}
}

// identityAddress is where the embedded identity provider listens: nowhere if it is not needed.
func (d *Dev) identityAddress() string {
	if d.config.API == "" || d.config.Issuer != "" {
		return ""
	}
	return d.config.Identity
}

func (d *Dev) serveMetrics(listener net.Listener) error {
	if listener == nil {
		return nil
	}
	handler, shutdown, err := newMetrics()
	if err != nil {
		return err
	}
	d.onClose(shutdown)
	d.onClose(serve(newServer(handler), listener, d.fail))
	return nil
}

// followRegistry brings the registry and the topics to what the files say, and keeps them there.
func (d *Dev) followRegistry(ctx, watching context.Context, n *Neighbours) (registryfile.Contents, error) {
	files := &registryFiles{
		names: d.config.Registry, lenient: d.config.Lenient,
		kafka:  n.Kafka,
		logger: d.logger,
		syncer: &registryfile.Syncer{
			Store:      n.Store,
			Invalidate: d.functions.Documents.Invalidate,
			Memory:     d.folder.File("registry-files.json"),
		},
	}
	if d.config.Demo != nil {
		files.extra = d.config.Demo.Registry
	}
	if len(files.names) == 0 {
		var err error
		if files.example, err = d.certifyExample(); err != nil {
			return registryfile.Contents{}, err
		}
	}
	seen := folder.Stamps(files.names)
	contents, err := files.apply(ctx)
	if err != nil {
		return contents, err
	}
	files.watch(watching, seen, &d.running)
	d.example = files.example
	return contents, nil
}

// serveReceivers starts the subscriber and the dead letter sink that are built in. The subscriber only answers: what arrives is shown
// by config.Observe.
func (d *Dev) serveReceivers(n *Neighbours, l *listeners) error {
	if l.receiver != nil {
		d.onClose(serve(newReceiver(), l.receiver, d.fail))
	}
	if l.deadLetters == nil {
		return nil
	}
	letters, err := newDeadLetters(n)
	if err != nil {
		return fmt.Errorf("starting the dead letter sink: %w", err)
	}
	d.onClose(func(context.Context) error { letters.close(); return nil })
	d.onClose(serve(letters.server(), l.deadLetters, d.fail))
	return nil
}

// followTriggers serves the Triggers of the manifests, and follows the files.
func (d *Dev) followTriggers(ctx, watching context.Context, n *Neighbours, l *listeners, contents registryfile.Contents) (err error) {
	d.note.Triggers = d.config.Triggers
	if d.note.Triggers == "" {
		d.note.Triggers = d.folder.File("triggers")
		if err := d.writePrinting(contents); err != nil {
			return err
		}
	}
	if _, err := os.ReadDir(d.note.Triggers); err != nil {
		return fmt.Errorf("the folder given with --triggers cannot be read: %w", err)
	}
	d.dispatcher, err = dispatch.New(dispatch.Options{Kafka: n.Kafka, Logger: d.logger, Observe: d.config.Observe})
	if err != nil {
		return fmt.Errorf("starting the dispatcher: %w", err)
	}
	d.onClose(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, dispatchDrain)
		defer cancel()
		return d.dispatcher.Close(ctx)
	})
	pushed, err := d.servePush(ctx, n, l.deadLetters)
	if err != nil {
		return err
	}
	commands, err := d.serveCommand(pushed.deadLetter)
	if err != nil {
		return err
	}
	files := &triggerFiles{
		loaders:    []*manifests.Loader{manifests.NewLoader(d.note.Triggers, d.targets(l, commands))},
		pushed:     pushed,
		commands:   commands,
		dispatcher: d.dispatcher,
		logger:     d.logger,
	}
	if demo := d.config.Demo; demo != nil {
		dir := d.folder.File("demo")
		if err := writeTrigger(dir, "demo.yaml", demo.Trigger, true); err != nil {
			return err
		}
		files.loaders = append(files.loaders, manifests.NewLoader(dir, demo.Targets))
	}
	seen := folder.Stamps(files.names())
	files.apply()
	if err := d.dispatcher.Settled(ctx); err != nil {
		return err
	}
	files.watch(watching, seen, &d.running)
	return nil
}

// targets are the objects that Triggers may refer to: what the user named, and the built-in receivers by the names that
// the examples use.
func (d *Dev) targets(l *listeners, commands *commanding) manifests.Targets {
	targets := manifests.Targets{commandEvents: commands.function + "/"}
	for name, listener := range map[string]net.Listener{"receiver": l.receiver, "dead-letters": l.deadLetters} {
		if listener != nil {
			targets[name] = url(listener) + "/"
		}
	}
	maps.Copy(targets, d.config.Targets)
	return targets
}

func (d *Dev) writeNote(l *listeners, contents registryfile.Contents) error {
	d.note.PID, d.note.Data = os.Getpid(), d.folder.Path()
	d.note.HTTP, d.note.Auth = url(l.http), url(l.auth)
	if l.https != nil {
		d.note.HTTPS = location("https", l.https)
	}
	d.note.TTN, d.note.API = d.note.HTTP+"/ttn/v3", url(l.api)
	d.note.MQTT, d.note.MQTTS = location("mqtt", l.mqtt), location("mqtts", l.mqtts)
	d.note.MQTTWS, d.note.MQTTWSS = location("ws", l.mqttWS), location("wss", l.mqttWSS)
	d.note.Consumers, d.note.ConsumerWeb = location("mqtt", l.consumers), url(l.consumerWeb)
	d.note.Metrics, d.note.Receiver, d.note.DeadLetters = url(l.metrics), url(l.receiver), url(l.deadLetters)
	d.note.Example = newExample(contents, d.note.HTTP)
	if d.note.Example != nil && d.example != nil {
		d.note.Example.Certificate, d.note.Example.CertificateKey = d.example.Certificate, d.example.Key
	}
	name := d.folder.File(NoteFile)
	if err := folder.WriteJSON(name, d.note); err != nil {
		return fmt.Errorf("saying where everything is: %w", err)
	}
	d.onClose(func(context.Context) error { return os.Remove(name) })
	return nil
}

func url(l net.Listener) string { return location("http", l) }

// location is the address of a listener as a URL; "" for none.
func location(scheme string, l net.Listener) string {
	if l == nil {
		return ""
	}
	return scheme + "://" + l.Addr().String()
}
