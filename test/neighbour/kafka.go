package neighbour

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	kafkaStorageClass = "kafka.tools.StorageTool"
	kafkaServerClass  = "kafka.Kafka"
)

// kafkaLogging sends the broker's log to its output.
const kafkaLogging = `status=error
rootLogger.level=info
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1} %m%n
`

// A Kafka is an Apache Kafka broker: one node in KRaft mode, broker and controller in one process, plain text.
// Topics are not created by use.
type Kafka struct {
	*Process
	port  int
	users int // port for those who log in; 0 without KafkaUsers
}

// A KafkaOption changes how [StartKafka] runs the broker.
type KafkaOption func(*kafkaSettings)

type kafkaSettings struct {
	heap       string
	fastStart  bool
	users      bool
	properties map[string]string
}

// KafkaHeap sets the broker's heap, in the JVM's notation. Default "512m".
func KafkaHeap(size string) KafkaOption {
	return func(s *kafkaSettings) { s.heap = size }
}

// KafkaFastStart leaves the JVM's optimising compiler and its concurrent collector out: the broker is there sooner and burns less processor
// time on a short test, but more per record. Not for measurements.
func KafkaFastStart() KafkaOption {
	return func(s *kafkaSettings) { s.fastStart = true }
}

// KafkaUsers has a second listener, for users who log in with SCRAM-SHA-512, and an authorizer that lets them do nothing unless an ACL
// says so. At the first listener everything may be done.
func KafkaUsers() KafkaOption {
	return func(s *kafkaSettings) { s.users = true }
}

// KafkaProperty sets a property of server.properties, over the defaults of this package.
func KafkaProperty(name, value string) KafkaOption {
	return func(s *kafkaSettings) { s.properties[name] = value }
}

// StartKafka formats a new log directory and starts a broker on it. The context bounds the start only.
func StartKafka(ctx context.Context, options ...KafkaOption) (*Kafka, error) {
	settings := kafkaSettings{heap: "512m", properties: map[string]string{}}
	for _, option := range options {
		option(&settings)
	}
	libraries, err := kafkaLibraries()
	if err != nil {
		return nil, fmt.Errorf("starting kafka: %w", err)
	}
	java, err := findJava()
	if err != nil {
		return nil, fmt.Errorf("starting kafka: %w", err)
	}
	ports, err := distinctPorts(3)
	if err != nil {
		return nil, fmt.Errorf("starting kafka: %w", err)
	}
	dir, err := newFolder("kafka")
	if err != nil {
		return nil, err
	}
	jvm := kafkaJVM{java: java, libraries: libraries, dir: dir}
	if err := jvm.format(ctx, settings.serverProperties(dir, ports[0], ports[1], ports[2])); err != nil {
		_ = dir.remove()
		return nil, fmt.Errorf("starting kafka: %w", err)
	}
	k := &Kafka{port: ports[0]}
	if settings.users {
		k.users = ports[2]
	}
	k.Process, err = startIn(ctx, dir, Command{
		Name:  "kafka",
		Path:  java,
		Args:  jvm.arguments(settings.jvmFlags(), kafkaServerClass, dir.file("server.properties")),
		Ready: k.ready,
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Brokers is the address to bootstrap from.
func (k *Kafka) Brokers() []string { return []string{loopback(k.port)} }

// UserBrokers is the address at which users log in; see KafkaUsers.
func (k *Kafka) UserBrokers() []string { return []string{loopback(k.users)} }

// Topic makes a topic with a name of its own for the test and returns the name.
func (k *Kafka) Topic(t testing.TB, partitions int) string {
	t.Helper()
	name := uniqueName(t)
	if err := k.CreateTopic(t.Context(), name, partitions); err != nil {
		t.Fatal(err)
	}
	return name
}

// CreateTopic makes a topic with one replica. It is an error if there is one already.
func (k *Kafka) CreateTopic(ctx context.Context, name string, partitions int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers()...))
	if err != nil {
		return fmt.Errorf("creating topic %s: %w", name, err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, int32(partitions), 1, nil, name); err != nil {
		return fmt.Errorf("creating topic %s: %w", name, err)
	}
	return nil
}

// ready asks for the metadata. A broker that still waits for its controller's admission answers, but does not list itself.
func (k *Kafka) ready(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers()...), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer client.Close()
	metadata, err := kadm.NewClient(client).BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	if len(metadata.Brokers) == 0 || metadata.Controller < 0 {
		return errors.New("the broker is not yet admitted by its controller")
	}
	return nil
}

func (s *kafkaSettings) serverProperties(dir *folder, port, controllerPort, userPort int) map[string]string {
	properties := map[string]string{
		"process.roles":                    "broker,controller",
		"node.id":                          "1",
		"controller.quorum.voters":         "1@" + loopback(controllerPort),
		"controller.listener.names":        "CONTROLLER",
		"listeners":                        "PLAINTEXT://" + loopback(port) + ",CONTROLLER://" + loopback(controllerPort),
		"advertised.listeners":             "PLAINTEXT://" + loopback(port),
		"inter.broker.listener.name":       "PLAINTEXT",
		"listener.security.protocol.map":   "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"log.dirs":                         dir.file("data"),
		"auto.create.topics.enable":        "false",
		"group.initial.rebalance.delay.ms": "0",

		// A killed broker may register again only when its last session is over. Kafka's default is 9 s.
		"broker.session.timeout.ms":    "3000",
		"broker.heartbeat.interval.ms": "500",

		// Kafka's defaults want three brokers.
		"offsets.topic.replication.factor":                 "1",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",

		// Kafka's default of 50 partitions each makes the first consumer group wait for a hundred files.
		"offsets.topic.num.partitions":                 "4",
		"transaction.state.log.num.partitions":         "4",
		"share.coordinator.state.topic.num.partitions": "4",
	}
	if s.users {
		maps.Copy(properties, map[string]string{
			"listeners":                                          properties["listeners"] + ",USERS://" + loopback(userPort),
			"advertised.listeners":                               properties["advertised.listeners"] + ",USERS://" + loopback(userPort),
			"listener.security.protocol.map":                     properties["listener.security.protocol.map"] + ",USERS:SASL_PLAINTEXT",
			"listener.name.users.sasl.enabled.mechanisms":        "SCRAM-SHA-512",
			"listener.name.users.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
			"authorizer.class.name":                              "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
			"super.users":                                        "User:ANONYMOUS", // who comes to the other listeners
		})
	}
	maps.Copy(properties, s.properties)
	return properties
}

func (s *kafkaSettings) jvmFlags() []string {
	flags := []string{"-Xmx" + s.heap, "-XX:+ExitOnOutOfMemoryError"}
	if s.fastStart {
		return append(flags, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
	}
	// As Kafka's own start script has it.
	return append(flags, "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35")
}

// A kafkaJVM runs Kafka's Java programs.
type kafkaJVM struct {
	java, libraries string
	dir             *folder
}

func (j kafkaJVM) arguments(flags []string, class string, arguments ...string) []string {
	all := append(slices.Clone(flags),
		"-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile="+j.dir.file("log4j2.properties"),
		"-cp", filepath.Join(j.libraries, "*"),
		class)
	return append(all, arguments...)
}

// format writes the configuration and gives the log directory its cluster id.
func (j kafkaJVM) format(ctx context.Context, properties map[string]string) error {
	if err := os.WriteFile(j.dir.file("log4j2.properties"), []byte(kafkaLogging), 0o644); err != nil {
		return err
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintf(&text, "%s=%s\n", name, properties[name])
	}
	server := j.dir.file("server.properties")
	if err := os.WriteFile(server, []byte(text.String()), 0o644); err != nil {
		return err
	}
	flags := []string{"-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"}
	format := exec.CommandContext(ctx, j.java, j.arguments(flags, kafkaStorageClass, "format", "-t", newClusterID(), "-c", server)...)
	if output, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("formatting its log directory: %w\n%s", err, output)
	}
	return nil
}

// newClusterID is a random UUID in Kafka's notation. A leading hyphen would look like a flag to the storage tool.
func newClusterID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[0] &= 0x7f
	return base64.RawURLEncoding.EncodeToString(id[:])
}

func findJava() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", "java"), nil
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("java is %w", ErrNotInstalled)
	}
	return java, nil
}
