//go:build unix && !linux

package neighbour

import (
	"errors"
	"syscall"
	"time"
)

// processAttributes puts a program into a process group of its own. Only Linux can have it killed with its parent.
func processAttributes(credential *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: credential}
}

// CPUTime needs Linux's /proc.
func CPUTime(int) (time.Duration, error) {
	return 0, errors.ErrUnsupported
}

// Resident needs Linux's /proc.
func Resident(int) (int64, error) {
	return 0, errors.ErrUnsupported
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// descendants finds none: children that leave the process group are then not killed, but end by themselves.
func descendants(int) []int { return nil }
