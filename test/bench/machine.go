package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// describeMachine says what ran, where and when: figures of different machines differ fivefold.
func describeMachine(ctx context.Context) string {
	host, _ := os.Hostname()
	return fmt.Sprintf("Fairlead %s on %s, %d cores of %s, %s/%s, %s, %s", revision(ctx), host, runtime.NumCPU(), processorModel(),
		runtime.GOOS, runtime.GOARCH, runtime.Version(), time.Now().UTC().Format("2006-01-02 15:04 MST"))
}

// revision is the commit of the working tree, with "-dirty" where files have changed since.
func revision(ctx context.Context) string {
	name, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude", "*").Output()
	if err != nil {
		return "of an unknown revision"
	}
	return strings.TrimSpace(string(name))
}

// processorModel is what Linux calls the processor.
func processorModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return "an unknown processor"
}

// A machineTime is what all cores together have done since the start of the machine, in ticks.
type machineTime struct{ all, stolen, idle uint64 }

// readMachineTime reads the line "cpu" of /proc/stat (proc(5)). Elsewhere than on Linux it is zero.
func readMachineTime() machineTime {
	file, err := os.Open("/proc/stat")
	if err != nil {
		return machineTime{}
	}
	defer file.Close()
	line, err := bufio.NewReader(file).ReadString('\n')
	if err != nil {
		return machineTime{}
	}
	return parseMachineTime(line)
}

// parseMachineTime adds up user, nice, system, idle, iowait, irq, softirq and steal. Guests are part of user.
func parseMachineTime(line string) (t machineTime) {
	const columns, idle, iowait, steal = 8, 3, 4, 7
	fields := strings.Fields(line)
	if len(fields) <= columns || fields[0] != "cpu" {
		return machineTime{}
	}
	for i, field := range fields[1 : columns+1] {
		ticks, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return machineTime{}
		}
		t.all += ticks
		switch i {
		case idle, iowait:
			t.idle += ticks
		case steal:
			t.stolen = ticks
		}
	}
	return t
}

// busy is the share of all cores that worked since before, for whomever.
func (t machineTime) busy(before machineTime) float64 {
	if t.all == before.all {
		return 0
	}
	return 1 - float64(t.idle-before.idle)/float64(t.all-before.all)
}

// conditions says what else happened on the machine since before: the host's share that was taken away, and how many wanted to run.
func conditions(before machineTime) string {
	after := readMachineTime()
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil || after.all == before.all {
		return "steal time and load are unknown"
	}
	stolen := float64(after.stolen-before.stolen) / float64(after.all-before.all)
	average, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("steal time %.1f %%, load average %s", 100*stolen, average)
}
