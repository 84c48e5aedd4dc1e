package neighbours

import (
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kfake"
)

// retention of the embedded broker, per topic. A laptop is no archive.
const (
	retentionBytes = "268435456" // 256 MiB of a partition
	retentionTime  = "604800000" // one week, in milliseconds
)

// A Kafka is a broker in this process. It knows topics, consumer groups and idempotent producers; it has one node.
type Kafka struct{ cluster *kfake.Cluster }

// StartKafka starts a broker at an address host:port; port 0 takes a free one. Its topics, records and offsets are kept
// in the folder, which is made if need be, and are there again after the next start. With sync, a record is on disk
// before it is acknowledged; without, a crash of the machine (but not of the process) may lose the newest ones.
func StartKafka(address, folder string, sync bool) (*Kafka, error) {
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.DataDir(folder),
		kfake.ClusterID("fairlead-dev"),
		kfake.BrokerConfigs(map[string]string{"log.retention.bytes": retentionBytes, "log.retention.ms": retentionTime}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, address) }),
	}
	if sync {
		options = append(options, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return nil, fmt.Errorf("starting the embedded Kafka broker on %s: %w", address, err)
	}
	return &Kafka{cluster}, nil
}

// Addresses are those at which the broker listens.
func (k *Kafka) Addresses() []string { return k.cluster.ListenAddrs() }

// Close stops the broker and writes what is not on disk yet.
func (k *Kafka) Close() { k.cluster.Close() }
