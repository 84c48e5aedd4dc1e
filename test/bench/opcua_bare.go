package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/opcuaserver"
)

const opcuaBareCommand = "opcua-bare"

// A bareReport is what a bare subscriber has got so far.
type bareReport struct {
	Values int `json:"values"`
	Faults int `json:"faults"` // values that do not follow the one before
}

// subscribeBare is the least that gopcua can do with values: it looks whether each follows the one before. Whenever it reads a line it
// writes a report.
func subscribeBare(ctx context.Context, arguments []string, input io.Reader, output io.Writer) error {
	flags := flag.NewFlagSet(opcuaBareCommand, flag.ContinueOnError)
	url := flags.String("url", "", "of the server")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	client, err := opcua.NewClient(*url, opcua.SecurityMode(ua.MessageSecurityModeNone))
	if err != nil {
		return err
	}
	if err := client.Connect(ctx); err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer client.Close(context.WithoutCancel(ctx))
	told := make(chan *opcua.PublishNotificationData, 16)
	if err := monitorBare(ctx, client, told); err != nil {
		return err
	}
	asked := make(chan error)
	go func() {
		lines := bufio.NewReader(input)
		for {
			_, err := lines.ReadString('\n')
			asked <- err
			if err != nil {
				return
			}
		}
	}()
	return countBare(told, asked, json.NewEncoder(output))
}

// monitorBare has all nodes of the folder monitored, as the gateway has its own.
func monitorBare(ctx context.Context, client *opcua.Client, told chan<- *opcua.PublishNotificationData) error {
	namespace, err := client.FindNamespace(ctx, opcuaserver.Namespace)
	if err != nil {
		return err
	}
	subscription, err := client.Subscribe(ctx, &opcua.SubscriptionParameters{Interval: opcuaPublished}, told)
	if err != nil {
		return fmt.Errorf("subscribing: %w", err)
	}
	for machine := range opcuaMachines {
		var items []*ua.MonitoredItemCreateRequest
		for counter := range opcuaCounters {
			node := ua.NewStringNodeID(namespace, fmt.Sprintf("%s.Machine%d.Counter%d", forBare, machine+1, counter+1))
			item := opcua.NewMonitoredItemCreateRequestWithDefaults(node, ua.AttributeIDValue, uint32(machine*opcuaCounters+counter))
			item.RequestedParameters.QueueSize = 1000
			items = append(items, item)
		}
		response, err := subscription.Monitor(ctx, ua.TimestampsToReturnBoth, items...)
		if err != nil {
			return fmt.Errorf("monitoring: %w", err)
		}
		for _, result := range response.Results {
			if result.StatusCode != ua.StatusOK {
				return fmt.Errorf("monitoring: %w", result.StatusCode)
			}
		}
	}
	return nil
}

// countBare counts what comes until nobody asks any more.
func countBare(told <-chan *opcua.PublishNotificationData, asked <-chan error, reports *json.Encoder) error {
	var report bareReport
	var next [opcuaNodes]uint32
	for {
		select {
		case n := <-told:
			if n.Error != nil {
				return n.Error
			}
			changes, ok := n.Value.(*ua.DataChangeNotification)
			if !ok {
				continue
			}
			for _, item := range changes.MonitoredItems {
				value, ok := item.Value.Value.Value().(uint32)
				if !ok || value != next[item.ClientHandle] {
					report.Faults++
				}
				next[item.ClientHandle] = value + 1
			}
			report.Values += len(changes.MonitoredItems)
		case err := <-asked:
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := reports.Encode(report); err != nil {
				return err
			}
		}
	}
}

// An opcuaBare is this program as the bare subscriber.
type opcuaBare struct {
	*companion
	report bareReport // the last one
}

func startOPCUABare(ctx context.Context, url string) (*opcuaBare, error) {
	c, err := startCompanion(ctx, os.Stderr, opcuaBareCommand, "--url", url)
	return &opcuaBare{companion: c}, err
}

func (b *opcuaBare) cpuTime() (time.Duration, error) { return neighbour.CPUTime(b.command.Process.Pid) }

// values asks how many it has got.
func (b *opcuaBare) values(context.Context) (int, error) {
	if _, err := io.WriteString(b.in, "\n"); err != nil {
		return 0, fmt.Errorf("asking the bare subscriber: %w", err)
	}
	line, err := b.out.ReadBytes('\n')
	if err != nil {
		return 0, fmt.Errorf("asking the bare subscriber: %w", err)
	}
	if err := json.Unmarshal(line, &b.report); err != nil {
		return 0, fmt.Errorf("asking the bare subscriber: %w", err)
	}
	return b.report.Values, nil
}

func (b *opcuaBare) faults(int) int { return b.report.Faults }
