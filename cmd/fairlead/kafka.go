package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/replay"
)

// kafkaAccess are the flags of a command that reads Kafka itself.
type kafkaAccess struct {
	Kafka       []string `name:"kafka-brokers" aliases:"kafka" env:"FAIRLEAD_KAFKA_BROKERS" was:"FAIRLEAD_KAFKA" help:"Addresses host:port of brokers. Without it, those of the fairlead dev that runs on --data."`
	KafkaSecret string   `name:"kafka-secret-dir" aliases:"kafka-secret" type:"path" env:"FAIRLEAD_KAFKA_SECRET_DIR" was:"FAIRLEAD_KAFKA_SECRET" help:"Folder with a mounted Secret in the layout of Knative's Kafka components."`
	Data        string   `type:"path" env:"FAIRLEAD_DATA" help:"Data folder of a running fairlead dev. Without it, .fairlead or the newest temporary one."`
}

// brokers finds Kafka: as given, or as a running fairlead dev says.
func (c *kafkaAccess) brokers() (kafka.Config, error) {
	found := kafka.DefaultConfig()
	found.Brokers, found.SecretDir = c.Kafka, c.KafkaSecret
	if len(found.Brokers) > 0 {
		return found, nil
	}
	note, err := findNote(c.Data)
	if err != nil {
		return found, err
	}
	found.Brokers, found.SecretDir = note.Kafka, note.KafkaSecret
	return found, nil
}

// connect makes a client for dead letters and replays.
func (c *kafkaAccess) connect() (*replay.Client, error) {
	brokers, err := c.brokers()
	if err != nil {
		return nil, err
	}
	return replay.Connect(brokers)
}

// findNote reads what a running fairlead dev says of itself: the one on a folder or, if none is named, the one on
// .fairlead or else the newest one with a temporary folder.
func findNote(folder string) (note devcloud.Note, err error) {
	candidates := []string{filepath.Join(folder, devcloud.NoteFile)}
	if folder == "" {
		candidates, err = filepath.Glob(filepath.Join(os.TempDir(), "fairlead-dev-*", devcloud.NoteFile))
		if err != nil {
			return note, fmt.Errorf("looking for a running fairlead dev: %w", err)
		}
		slices.SortFunc(candidates, func(a, b string) int { return modified(b).Compare(modified(a)) })
		candidates = slices.Insert(candidates, 0, filepath.Join(".fairlead", devcloud.NoteFile))
	}
	for _, name := range candidates {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if err := json.Unmarshal(text, &note); err != nil {
			return note, fmt.Errorf("%s does not parse", name)
		}
		return note, nil
	}
	return note, errors.New("no running fairlead dev was found: name its folder with --data, or brokers with --kafka-brokers")
}

func modified(name string) time.Time {
	info, err := os.Stat(name)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
