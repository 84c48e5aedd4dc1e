package opcuaserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"
)

// A Kind is a program that serves OPC UA.
type Kind string

// The kinds.
const (
	NodeOPCUA Kind = "node-opcua" // on Node.js; knows everything that a client here uses
	Asyncua   Kind = "asyncua"    // on Python; keeps no subscription without a connection
)

// Kinds are all of them.
var Kinds = []Kind{NodeOPCUA, Asyncua}

// Namespace is that of the nodes.
const Namespace = "urn:fairlead:test"

// The user that a server knows.
const (
	User     = "worker"
	Password = "pässword"
)

// Options say what a server is like.
type Options struct {
	Counters int           // 0 is 1
	Every    time.Duration // after which each counter becomes one more; 0 is 100 ms
	// First is a namespace that is registered before Namespace, which gets another index by that. "" is none.
	First string
	// Loads are folders of counters that only node-opcua has. They stand still but for those of the folder that the variable s=Load
	// names.
	Loads []Load
	// Person is the file, in DER, of the certificate of the only one who may log in by certificate; then nobody may be anonymous.
	// "" lets in everybody.
	Person string
	// Strict lets in only clients that Trust was called for.
	Strict bool
	// Port and Folder are those of an earlier server, to come back as that with other options. 0 and "" are new ones.
	Port   int
	Folder string
}

// A Load is a folder of machines with counters: the nodes s=NAME.Machine1.Counter1 and so on.
type Load struct {
	Name     string `json:"name"`
	Machines int    `json:"machines"`
	Counters int    `json:"counters"` // of each machine
}

// A Server is a running server. It has the same port and certificate after Stop and Start.
type Server struct {
	*neighbour.Process
	Options Options // with the port and folder that it has
}

// Start starts a server and returns when it serves. The context bounds the start only.
func Start(ctx context.Context, kind Kind, o Options) (*Server, error) {
	if o.Port == 0 {
		port, err := neighbour.FreePort()
		if err != nil {
			return nil, err
		}
		o.Port = port
	}
	if o.Folder == "" {
		folder, err := os.MkdirTemp("", "opcua-server-")
		if err != nil {
			return nil, err
		}
		o.Folder = folder
	}
	command, err := program(kind, o)
	if err != nil {
		return nil, err
	}
	s := &Server{Options: o}
	command.Ready = s.ready
	if s.Process, err = neighbour.StartProcess(ctx, command); err != nil {
		return nil, err
	}
	return s, nil
}

// program is how a server is run.
func program(kind Kind, o Options) (neighbour.Command, error) {
	_, file, _, _ := runtime.Caller(0)
	here := filepath.Dir(file)
	installed, err := filepath.Glob(filepath.Join(here, "../../build", string(kind), "*"))
	if err != nil || len(installed) == 0 {
		return neighbour.Command{}, fmt.Errorf("%s: %w", kind, neighbour.ErrNotInstalled)
	}
	folder := installed[len(installed)-1]
	settings, err := json.Marshal(map[string]any{"port": o.Port, "folder": filepath.Join(o.Folder, "pki"), "first": o.First,
		"counters": max(1, o.Counters), "every": max(1, milliseconds(o.Every)), "loads": o.Loads, "person": o.Person,
		"strict": o.Strict})
	if err != nil {
		return neighbour.Command{}, err
	}
	run := map[Kind]struct{ program, script, setting string }{
		NodeOPCUA: {"node", "server.js", "NODE_PATH=" + filepath.Join(folder, "node_modules")},
		Asyncua:   {"python3", "server.py", "PYTHONPATH=" + folder},
	}[kind]
	path, err := exec.LookPath(run.program)
	if err != nil {
		return neighbour.Command{}, fmt.Errorf("%s: %w", kind, neighbour.ErrNotInstalled)
	}
	return neighbour.Command{Name: string(kind), Path: path, Args: []string{filepath.Join(here, "scripts", run.script), string(settings)},
		Env: []string{run.setting, "HOME=" + o.Folder}}, nil
}

func milliseconds(d time.Duration) int64 {
	if d == 0 {
		d = 100 * time.Millisecond
	}
	return d.Milliseconds()
}

// Address is where the server listens.
func (s *Server) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.Options.Port) }

// URL is the endpoint's URL.
func (s *Server) URL() string { return "opc.tcp://" + s.Address() + "/" }

// Trust lets in the client whose certificate lies in a file, in DER. A name stands for it.
func (s *Server) Trust(name, file string) error {
	der, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	trusted := s.trusted(name)
	if err := os.MkdirAll(filepath.Dir(trusted), 0o755); err != nil {
		return err
	}
	whole := filepath.Join(s.Options.Folder, name) // servers that watch the folder read what is there at once
	if err := os.WriteFile(whole, der, 0o644); err != nil {
		return err
	}
	return os.Rename(whole, trusted)
}

// Distrust lets it in no more.
func (s *Server) Distrust(name string) error { return os.Remove(s.trusted(name)) }

func (s *Server) trusted(name string) string {
	return filepath.Join(s.Options.Folder, "pki", "trusted", "certs", name+".der")
}

// ready connects: a server listens only when everything else is there.
func (s *Server) ready(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.Address())
	if err != nil {
		return err
	}
	return conn.Close()
}

// Close ends the server and removes what it has written.
func (s *Server) Close() error {
	err := s.Process.Close()
	if removed := os.RemoveAll(s.Options.Folder); err == nil {
		err = removed
	}
	return err
}
