// Command neighbours runs a Kafka, a Redis and a PostgreSQL beside a cluster, for a test of it, until its standard input ends:
//
//	neighbours ADDRESS FOLDER
//
// ADDRESS is one of this machine that pods reach. FOLDER gets a file with the Secrets that Fairlead reads them with; it is there
// when all three are ready.
package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/test/neighbour"
)

// The ports at which pods reach them, and what Kafka tells its clients to connect to: a Service of the overlay.
const (
	kafkaPort    = "9092"
	redisPort    = "6379"
	postgresPort = "5432"
	advertised   = "PLAINTEXT://kafka.fairlead.svc.cluster.local:" + kafkaPort
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: neighbours ADDRESS FOLDER")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address, folder string) error {
	kafka, err := neighbour.StartKafka(ctx, neighbour.KafkaProperty("advertised.listeners", advertised))
	if err != nil {
		return err
	}
	defer kafka.Close()
	redis, err := neighbour.StartRedis(ctx, neighbour.RedisAppendOnly())
	if err != nil {
		return err
	}
	defer redis.Close()
	postgres, err := neighbour.StartPostgres(ctx)
	if err != nil {
		return err
	}
	defer postgres.Close()
	database, err := url.Parse(postgres.URL())
	if err != nil {
		return err
	}
	if err := createTopic(ctx, kafka.Brokers()[0]); err != nil {
		return err
	}
	for port, server := range map[string]string{kafkaPort: kafka.Brokers()[0], redisPort: redis.Address(), postgresPort: database.Host} {
		if err := forward(net.JoinHostPort(address, port), server); err != nil {
			return err
		}
	}
	database.Host = "postgresql.fairlead.svc.cluster.local:" + postgresPort
	if err := writeSecrets(filepath.Join(folder, "secrets.yaml"), database); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// createTopic makes the topic in which the registry tells of changes. Whom Kafka names as its leader is not known here.
func createTopic(ctx context.Context, server string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(server), kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}))
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(ctx, 3, 1, nil, "registry")
	return err
}

// writeSecrets writes values in base64, as the API server keeps them, so that applying them again changes nothing. Redis has no
// password here, and that of gateways is drawn by the overlay.
func writeSecrets(path string, database *url.URL) error {
	password, _ := database.User.Password()
	var text strings.Builder
	secret := func(name string, values map[string]string) {
		fmt.Fprintf(&text, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: %s, labels: {app.kubernetes.io/part-of: fairlead}}\ndata:\n", name)
		for key, value := range values {
			fmt.Fprintf(&text, "  %s: %s\n", key, base64.StdEncoding.EncodeToString([]byte(value)))
		}
	}
	secret("fairlead-database-app", map[string]string{
		"uri": database.String(), "username": database.User.Username(), "password": password, "dbname": strings.TrimPrefix(database.Path, "/"),
	})
	secret("fairlead-redis", map[string]string{"url": "redis://redis.fairlead.svc.cluster.local:" + redisPort})
	unnamed := path + ".new"
	if err := os.WriteFile(unnamed, []byte(text.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(unnamed, path)
}

// forward hands connections to an address on to a server that listens for this machine alone.
func forward(address, server string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go join(client, server)
		}
	}()
	return nil
}

// join carries bytes both ways until one side ends.
func join(client net.Conn, server string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close()
	ended := make(chan struct{}, 2)
	carry := func(to, from net.Conn) { _, _ = io.Copy(to, from); ended <- struct{}{} }
	go carry(upstream, client)
	go carry(client, upstream)
	<-ended
}
