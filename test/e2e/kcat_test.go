//go:build integration

package e2e

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strconv"
)

// A record is an event as kcat shows it.
type record struct {
	partition int
	offset    int64
	key       string
	headers   map[string]string
	payload   string
}

// records reads all that is in the topic now, with the real kcat. What was acknowledged before is there.
func (a *tenant) records() []record {
	a.t.Helper()
	output := a.kcat("-e", "-o", "beginning", "-J")
	var all []record
	decoder := json.NewDecoder(bytes.NewReader(output))
	for decoder.More() {
		var line struct {
			Partition int
			Offset    int64
			Key       string
			Headers   []string
			Payload   string
		}
		if err := decoder.Decode(&line); err != nil {
			a.t.Fatalf("kcat prints %q: %v", output, err)
		}
		r := record{line.Partition, line.Offset, line.Key, make(map[string]string), line.Payload}
		for i := 0; i+1 < len(line.Headers); i += 2 {
			if _, twice := r.headers[line.Headers[i]]; twice {
				a.t.Errorf("the header %s is there twice", line.Headers[i])
			}
			r.headers[line.Headers[i]] = line.Headers[i+1]
		}
		all = append(all, r)
	}
	return all
}

// bySubject reads the topic, one record for each channel.
func (a *tenant) bySubject() map[string]record {
	a.t.Helper()
	found := make(map[string]record)
	for _, r := range a.records() {
		subject := r.headers["ce_subject"]
		if _, twice := found[subject]; twice {
			a.t.Errorf("two events in %s", subject)
		}
		found[subject] = r
	}
	return found
}

// only reads the one record that the topic has.
func (a *tenant) only() record {
	a.t.Helper()
	all := a.records()
	if len(all) != 1 {
		a.t.Fatalf("%d records in %s, want one: %v", len(all), a.topic, all)
	}
	return all[0]
}

// empty fails the test if anything was stored.
func (a *tenant) empty() {
	a.t.Helper()
	if all := a.records(); len(all) > 0 {
		a.t.Errorf("%d records in %s, want none: %v", len(all), a.topic, all)
	}
}

// value reads the bytes of a record's value, which need not be text.
func (a *tenant) value(r record) []byte {
	a.t.Helper()
	return a.kcat("-p", strconv.Itoa(r.partition), "-o", strconv.FormatInt(r.offset, 10), "-c", "1", "-f", "%s")
}

func (a *tenant) kcat(arguments ...string) []byte {
	a.t.Helper()
	all := append([]string{"-b", a.broker, "-C", "-q", "-t", a.topic}, arguments...)
	var problems bytes.Buffer
	command := exec.CommandContext(bounded(a.t), "kcat", all...)
	command.Stderr = &problems
	output, err := command.Output()
	if err != nil {
		a.t.Fatalf("kcat %v: %v\n%s", arguments, err, problems.Bytes())
	}
	return output
}
