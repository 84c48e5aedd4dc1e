package main

import (
	"context"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/issuer"
	"github.com/fairlead/fairlead/internal/registry"
)

// A tempest is how many devices come at once.
type tempest struct {
	devices int
	hashed  int           // whose passwords are hashes of cost 10, which nobody has verified yet
	calm    time.Duration // before
}

// A stormKind is one of the storms.
type stormKind struct {
	name        string
	application string
	devices     int
	shows       bool // certificates, over TLS
	cold        bool // they are connected nowhere at first, and their passwords are hashes
}

func (t tempest) kinds() []stormKind {
	return []stormKind{
		{name: "plain passwords", application: "storm-plain", devices: t.devices},
		{name: "certificates over TLS", application: "storm-certificates", devices: t.devices, shows: true},
		{name: "bcrypt of cost 10, not verified before", application: "storm-hashes", devices: t.hashed, cold: true},
	}
}

// measureStorm has many devices connect at once to a gateway on which others publish: those of a gateway that was killed, and new ones.
func measureStorm(ctx context.Context, s *scene) (rows []row, err error) {
	size := s.size.storm
	if size.devices, err = allowConnections(size.devices); err != nil {
		return nil, err
	}
	site, err := s.site(ctx, 1)
	if err != nil {
		return nil, err
	}
	for _, kind := range size.kinds() {
		more, err := site.storm(ctx, s, kind)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", kind.name, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// storm measures one of the storms, on gateways of its own.
func (s *site) storm(ctx context.Context, scene *scene, kind stormKind) (rows []row, err error) {
	arguments, err := s.populate(ctx, kind)
	if err != nil {
		return nil, err
	}
	var gateways [2]*gatewayProcess
	for i := range gateways {
		if gateways[i], err = startGateway(ctx, *scene.gateways, s.neighbours, s.mqtt[0].judge); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, gateways[i].Close()) }()
	}
	doomed, survivor := gateways[0], gateways[1]
	first, then := doomed.address, survivor.address
	if kind.shows {
		first, then = doomed.secure, survivor.secure
		arguments = append(arguments, "--authority", doomed.authority)
	}
	if kind.cold {
		first = ""
	}
	established, err := beginSteady(ctx, survivor.address)
	if err != nil {
		return nil, err
	}
	devices, err := startCompanion(ctx, os.Stderr, append([]string{stormCommand, "--first", first, "--then", then}, arguments...)...)
	if err != nil {
		return nil, errors.Join(err, established.end())
	}
	defer func() { _ = devices.end() }()
	if _, err := devices.out.ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting the devices: %w", err), established.end())
	}
	alone, err := beginKafkaBeside(ctx, s.neighbours)
	if err != nil {
		return nil, errors.Join(err, established.end())
	}
	w := stormWatch{kind: kind, established: established, alone: alone, devices: devices, doomed: doomed, survivor: survivor}
	return w.run(scene.size.storm.calm)
}

// A stormWatch is what goes on during a storm.
type stormWatch struct {
	kind             stormKind
	established      *steadyLoad
	alone            *kafkaBeside
	devices          *companion
	doomed, survivor *gatewayProcess
}

// run lets some time pass, raises the storm, and waits for its end.
func (w *stormWatch) run(calm time.Duration) ([]row, error) {
	time.Sleep(calm)
	began, machine := time.Now(), readMachineTime()
	before, err := w.survivor.CPUTime()
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w.devices.in, "\n"); err != nil {
		return nil, fmt.Errorf("raising the storm: %w", err)
	}
	if !w.kind.cold {
		w.doomed.Kill()
	}
	var storm stormReport
	if err := json.NewDecoder(w.devices.out).Decode(&storm); err != nil {
		return nil, fmt.Errorf("reading the report of the devices: %w", err)
	}
	after, err := w.survivor.CPUTime()
	if err != nil {
		return nil, err
	}
	busy := readMachineTime().busy(machine)
	steady, err := w.established.finish()
	if err != nil {
		return nil, fmt.Errorf("the established sessions: %w", err)
	}
	alone, err := w.alone.finish()
	if err != nil {
		return nil, fmt.Errorf("writing to Kafka alone: %w", err)
	}
	if len(storm.Back) == 0 {
		return nil, errors.New("no device came back")
	}
	var took sample[time.Duration]
	for _, micros := range storm.Back {
		took = append(took, time.UnixMicro(micros).Sub(began))
	}
	rows := w.kind.rows(storm, took, after-before)
	last := began.Add(took.quantile(1))
	sessions, err := steady.around(calm, began, last)
	if err != nil {
		return rows, err
	}
	kafka, err := alone.around(calm, began, last)
	if err != nil {
		return rows, err
	}
	rows = append(rows, steadyRows(w.kind.name, sessions, kafka, busy)...)
	return append(rows, busyRow(w.kind.name+", devices", sample[float64]{storm.Busy}),
		busyRow(w.kind.name+", established sessions", sample[float64]{steady.Busy})), nil
}

func (k stormKind) rows(storm stormReport, took sample[time.Duration], used time.Duration) []row {
	failed, kinds := storm.Refused, ""
	for _, kind := range slices.Sorted(maps.Keys(storm.Broken)) {
		failed += storm.Broken[kind]
		kinds += fmt.Sprintf("%s: %d; ", kind, storm.Broken[kind])
	}
	return []row{
		{
			figure: fmt.Sprintf("%s: of %d devices, back", k.name, k.devices), value: strconv.Itoa(len(took)),
			target: "all", holds: len(took) == k.devices,
		},
		{
			figure: k.name + ": until the last is back", value: seconds2(took.quantile(1)),
			span: fmt.Sprintf("p50 %s, p90 %s", seconds2(took.median()), seconds2(took.quantile(0.9))),
		},
		{figure: k.name + ": log-ins that were shed", value: strconv.Itoa(storm.Shed)},
		{figure: k.name + ": connections that failed otherwise", value: strconv.Itoa(failed), span: kinds},
		{figure: k.name + ": processor time of the gateway for a device", value: millis(used / time.Duration(len(took)))},
	}
}

// populate makes the application of a storm with its devices, and gives the arguments of the process that is them.
func (s *site) populate(ctx context.Context, kind stormKind) (arguments []string, err error) {
	arguments, spec := []string{"--application", kind.application, "--count", strconv.Itoa(kind.devices)}, "{}"
	if kind.shows {
		stem := filepath.Join(filepath.Dir(s.mqtt[0].authority), kind.application)
		if spec, err = anchorOf(kind.application, stem); err != nil {
			return nil, err
		}
		arguments = append(arguments, "--issuer", stem)
	}
	var hashes []registry.Password
	if kind.cold {
		if hashes, err = manyHashes(kind.devices); err != nil {
			return nil, err
		}
	}
	err = s.tenantWith(ctx, kind.application, spec, kind.devices, func(i int) (*registry.Device, error) {
		password := registry.Password{Kind: registry.PlainPassword, Value: benchPassword}
		if kind.cold {
			password = hashes[i]
		}
		d, err := benchDevice(i, password)
		if err == nil && kind.shows {
			d.Spec[registry.SectionAlias], err = json.Marshal([]string{"CN=" + deviceName(i)})
		}
		return d, err
	})
	return arguments, errors.Join(err, s.settled(ctx))
}

// anchorOf makes an authority in files, and gives the specification of an application that trusts it.
func anchorOf(name, stem string) (spec string, err error) {
	made, err := issuer.NewAuthority(pkix.Name{CommonName: name}, time.Now().Add(certificateLife))
	if err != nil {
		return "", err
	}
	if err := issuer.FilesOf(stem).Write(made); err != nil {
		return "", err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate.Raw})
	return fmt.Sprintf(`{"trustAnchors":{"anchors":[{"certificate":%q}]}}`, base64.StdEncoding.EncodeToString(text)), nil
}
