package neighbours

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// retention of the embedded broker, per topic. A laptop is no archive.
const (
	retentionBytes = "268435456" // 256 MiB of a partition
	retentionTime  = "604800000" // one week, in milliseconds
)

// produceVersion is the newest version of Produce whose answers name topics: later ones have only ids.
const produceVersion = 12

// KafkaOptions say how the broker runs.
type KafkaOptions struct {
	Address string // host:port; port 0 takes a free one
	Folder  string // for topics, records and offsets; made if need be
	// Sync has a record on disk before it is acknowledged. Without, a crash of the machine (but not of the process) may lose
	// the newest ones.
	Sync   bool
	Logger *slog.Logger // for what was found damaged; may be nil
	// Failed is called once, when the disk has failed. Then the broker has stopped. It may be nil.
	Failed func(error)
}

// A Kafka is a broker in this process. It knows topics, consumer groups and idempotent producers; it has one node. What is in
// its folder is there again after the next start.
type Kafka struct {
	cluster *kfake.Cluster
	disk    *disk
}

// StartKafka starts a broker.
func StartKafka(o KafkaOptions) (*Kafka, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	signal.Ignore(syscall.SIGXFSZ) // a limit on the size of files is an error of the disk like others
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the embedded Kafka: %w", err)
	}
	if err := repair(o.Folder, o.Logger); err != nil {
		return nil, fmt.Errorf("reading what the embedded Kafka has stored in %s: %w", o.Folder, err)
	}
	disk := newDisk(o)
	versions := kversion.Tip()
	versions.SetMaxKeyVersion(int16(kmsg.Produce), produceVersion)
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.DataDir(o.Folder),
		kfake.ClusterID("fairlead-dev"),
		kfake.MaxVersions(versions),
		kfake.BrokerConfigs(map[string]string{"log.retention.bytes": retentionBytes, "log.retention.ms": retentionTime}),
		kfake.WithLogger(disk),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return disk.listen(network, o.Address) }),
	)
	if err != nil {
		return nil, fmt.Errorf("starting the embedded Kafka broker on %s: %w", o.Address, err)
	}
	k := &Kafka{cluster, disk}
	disk.cluster.Store(cluster)
	if err := disk.failure(); err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

// Addresses are those at which the broker listens.
func (k *Kafka) Addresses() []string { return k.cluster.ListenAddrs() }

// Close stops the broker and writes what is not on disk yet. It tells whether the disk has failed only now.
func (k *Kafka) Close() error {
	before := k.disk.failure()
	close(k.disk.closing)
	k.cluster.Close()
	if err := k.disk.failure(); before == nil && err != nil {
		return err
	}
	return nil
}
