package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// A measurement makes rows of the table.
type measurement struct {
	name  string
	title string
	run   func(context.Context, *scene) ([]row, error)
}

func measurements() []measurement {
	return []measurement{
		{"http", fmt.Sprintf("telemetry against a bare net/http server: %d connections, bodies of %d bytes", connections, bodySize), measureHTTP},
		{"sink", fmt.Sprintf("telemetry to Kafka and to a CloudEvents sink over HTTP: %d connections, bodies of %d bytes", connections, bodySize), measureSink},
		{"front", fmt.Sprintf("HTTP gateway against a bare TLS proxy: %d connections with certificates, bodies of %d bytes", connections, bodySize), measureFront},
		{"coap", fmt.Sprintf("CoAP over DTLS against a bare go-coap echo: %d sessions, confirmable POST of %d bytes", coapSessions, bodySize), measureCoAP},
		{"psk", fmt.Sprintf("TLS 1.3 with pre-shared keys against mutual certificates on P-256: %d clients at once", tlsWorkers), measureTLS},
		{"decision", "a cached authentication decision", measureDecision},
		{"start", "from exec to ready, neighbours running", measureStart},
		{"trigger", "one event at a time, to its answer and to the receiver of a Trigger, against Kafka alone", measureTrigger},
		{"burst", fmt.Sprintf("events that are written at once into %d partitions, against a bare franz-go consumer", burstPartitions), measureBurst},
		{"pull", fmt.Sprintf("users who consume events of %d bytes, against a bare franz-go consumer and against mosquitto", pullSize), measurePull},
		{"mqtt", fmt.Sprintf("MQTT gateway: %d connections, %d messages of QoS 1 in flight each, bodies of %d bytes", publishers, window, bodySize), measureMQTT},
		{"opcua", fmt.Sprintf("OPC UA gateway against a bare gopcua subscriber: %d nodes of node-opcua that change every %s", opcuaNodes, opcuaEvery), measureOPCUA},
		{"curve", fmt.Sprintf("latency at parts of the largest rate, whatever the answers, against Kafka alone: %d connections over HTTP, %d over MQTT", connections, publishers), measureCurve},
		{"idle", "MQTT gateway: connections that do nothing", measureIdle},
		{"growth", "what ever more connections, sessions, applications, devices and Triggers cost", measureGrowth},
		{"storm", "devices that connect all at once, beside established sessions", measureStorm},
		{"revocation", "an application is disabled through the registry; and a tenant beside an attacked one", measureRevocation},
		{"command", "commands to devices over MQTT, through Redis", measureCommands},
		{"registry", "a registry of many devices in PostgreSQL", measureRegistry},
		{"apply", "fairlead apply against fairlead dev", measureApply},
		{"micro", "steps of the way", measureMicro},
	}
}

// measure runs what is selected and prints each part of the table as soon as it is known. One measurement that cannot
// run does not keep the others from it.
func measure(ctx context.Context, o options) (err error) {
	s := &scene{size: o.size}
	defer func() { err = errors.Join(err, s.close()) }()
	fmt.Println(describeMachine(ctx))
	failed := 0
	for _, m := range o.selected() {
		before, began := readMachineTime(), time.Now()
		rows, failure := m.run(ctx, s)
		took := time.Since(began).Round(time.Second)
		if failure = errors.Join(failure, s.closeOwn()); failure != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", m.name, failure))
		}
		if ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		fmt.Println()
		writeTable(os.Stdout, fmt.Sprintf("%s (took %s, %s)", m.title, took, conditions(before)), rows)
		failed += countMissed(rows)
	}
	if failed > 0 {
		fmt.Printf("\n%d of the targets were missed in this run.\n", failed)
	}
	return err
}
