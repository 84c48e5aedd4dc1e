package neighbour

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// userTick is the unit of processor times in /proc. The kernel fixes it at 100 per second for all architectures that Go runs on.
const userTick = time.Second / 100

// processAttributes puts a program into a process group of its own and has the kernel kill it when this process dies.
func processAttributes(credential *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: credential}
}

// CPUTime is the processor time, user and system, that a process and its children have used, in steps of 10 ms. Children of children that
// ended without being waited for are not in it.
func CPUTime(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	if err != nil {
		return 0, fmt.Errorf("reading the processor time of process %d: %w", pid, err)
	}
	total := s.cpu
	for _, child := range descendants(pid) {
		if s, err := readStat(child); err == nil {
			total += s.cpu
		}
	}
	return total, nil
}

// Resident is the resident memory of a process in bytes, without its children.
func Resident(pid int) (int64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return 0, fmt.Errorf("reading the resident memory of process %d: %w", pid, err)
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("reading the resident memory of process %d: unexpected content %q", pid, text)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the resident memory of process %d: %w", pid, err)
	}
	return pages * int64(os.Getpagesize()), nil
}

// stat holds what matters of /proc/PID/stat, see proc_pid_stat(5).
type stat struct {
	state  byte
	parent int
	cpu    time.Duration // own, and of children that ended and were waited for
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, err
	}
	return parseStat(text)
}

// parseStat counts fields from behind the program's name, which is in parentheses and may itself hold blanks and parentheses.
func parseStat(text []byte) (stat, error) {
	const state, parent, utime, cstime = 0, 1, 11, 14 // fields 3, 4, 14 and 17 of the manual page
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) <= cstime || len(fields[state]) != 1 {
		return stat{}, fmt.Errorf("unexpected content %q", text)
	}
	s := stat{state: fields[state][0]}
	var err error
	if s.parent, err = strconv.Atoi(fields[parent]); err != nil {
		return stat{}, fmt.Errorf("parent: %w", err)
	}
	for _, field := range fields[utime : cstime+1] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("processor time: %w", err)
		}
		s.cpu += time.Duration(ticks) * userTick
	}
	return s, nil
}

// alive says no for a zombie: in a container there may be nobody to bury it, and it holds nothing any more.
func alive(pid int) bool {
	s, err := readStat(pid)
	return err == nil && s.state != 'Z' && s.state != 'X'
}

// descendants returns the children of a process, and theirs.
func descendants(pid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := make(map[int][]int)
	for _, entry := range entries {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if s, err := readStat(child); err == nil {
			children[s.parent] = append(children[s.parent], child)
		}
	}
	var found []int
	for queue := children[pid]; len(queue) > 0; queue = queue[1:] {
		found = append(found, queue[0])
		queue = append(queue, children[queue[0]]...)
	}
	return found
}
