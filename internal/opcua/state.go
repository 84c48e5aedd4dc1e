package opcua

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/opcua/binary"
)

// stateFiles hold the subscriptions of a server, for the process that comes after this one. They survive the end of the process,
// and not always that of the machine: then the subscriptions are made anew, and that is told as a loss.
type stateFiles struct {
	folder, name string
	width        int // bytes that the file of positions has; 0 if it was not read or written
}

// The file of subscriptions changes with the items, that of positions with each acknowledgement.
func (f *stateFiles) subscriptions() string { return filepath.Join(f.folder, "state", f.name+".json") }
func (f *stateFiles) positions() string {
	return filepath.Join(f.folder, "state", f.name+".positions.json")
}

// writePositions writes over what the file holds, with spaces behind it as far as that was longer: a new file for each acknowledgement
// would take as long as all else that is done with a message.
func (f *stateFiles) writePositions(text []byte) error {
	flags := os.O_CREATE | os.O_WRONLY
	if f.width == 0 {
		flags |= os.O_TRUNC // of a process of which nothing else is left
	}
	file, err := os.OpenFile(f.positions(), flags, 0o600)
	if err != nil {
		return err
	}
	for len(text) < f.width {
		text = append(text, ' ')
	}
	f.width = len(text)
	_, err = file.WriteAt(text, 0)
	return errors.Join(err, file.Close())
}

func (f *stateFiles) remove() {
	_ = os.Remove(f.subscriptions())
	_ = os.Remove(f.positions())
}

// stateVersion is that of the form of the files.
const stateVersion = 1

// savedState is what the file of subscriptions holds.
type savedState struct {
	Version       int                 `json:"version"`
	ServerURI     string              `json:"server_uri"`
	Started       time.Time           `json:"server_started"`
	NextHandle    uint32              `json:"next_handle"`
	Session       savedSession        `json:"session"`
	Subscriptions []savedSubscription `json:"subscriptions"`
}

// savedSession is what a session is taken up again with. Its token is a secret, so only the process's user may read the file.
type savedSession struct {
	Token []byte `json:"token"` // as it is encoded
	Nonce []byte `json:"nonce"`
}

type savedSubscription struct {
	ID         uint32        `json:"id"`
	Created    time.Time     `json:"created"`
	Publishing time.Duration `json:"publishing_ns"`
	Silence    time.Duration `json:"silence_ns"`
	Items      []savedItem   `json:"items"`
}

type savedItem struct {
	Handle uint32 `json:"handle"`
	ID     uint32 `json:"id"`
	Print  string `json:"fingerprint"`
}

// savedPositions are the numbers up to which the messages of each subscription are stored.
type savedPositions map[uint32]uint32

// save writes the subscriptions.
func (s *Server) save() error {
	state := savedState{Version: stateVersion, ServerURI: s.serverID.URI, Started: s.serverID.Started, NextHandle: s.nextHandle}
	if s.session != nil {
		w := &binary.Writer{}
		w.NodeID(s.session.token)
		state.Session = savedSession{Token: w.Bytes(), Nonce: s.session.serverNonce}
	}
	for _, sub := range s.subs {
		saved := savedSubscription{ID: sub.id, Created: sub.created, Publishing: sub.publishing, Silence: sub.silence}
		for _, m := range sub.items {
			saved.Items = append(saved.Items, savedItem{m.handle, m.id, hex.EncodeToString(m.print[:])})
		}
		state.Subscriptions = append(state.Subscriptions, saved)
	}
	text, err := json.Marshal(&state)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.files.subscriptions()), 0o700); err != nil {
		return fmt.Errorf("writing the subscriptions: %w", err)
	}
	if err := writeWhole(s.files.subscriptions(), text, 0o600); err != nil {
		return fmt.Errorf("writing the subscriptions: %w", err)
	}
	return nil
}

// savePositions writes how far messages are stored. If that fails, messages may come twice after a crash, with the same ids.
func (s *Server) savePositions() {
	positions := savedPositions{}
	for _, sub := range s.subs {
		positions[sub.id] = sub.stored
	}
	text, err := json.Marshal(positions)
	if err == nil {
		err = s.files.writePositions(text)
	}
	if err != nil {
		s.log.Warn("The positions in the subscriptions were not written.", zap.Error(err))
	}
}

// restore reads the subscriptions of the process before this one.
func (s *Server) restore() error {
	text, err := os.ReadFile(s.files.subscriptions())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var state savedState
	if err := json.Unmarshal(text, &state); err != nil {
		return fmt.Errorf("%s: %w", s.files.subscriptions(), err)
	}
	if state.Version != stateVersion {
		return fmt.Errorf("%s: version %d is not known", s.files.subscriptions(), state.Version)
	}
	positions := savedPositions{}
	if text, err := os.ReadFile(s.files.positions()); err == nil {
		s.files.width = len(text)
		if err := json.Unmarshal(text, &positions); err != nil {
			return fmt.Errorf("%s: %w", s.files.positions(), err)
		}
	}
	subs := map[uint32]*subscription{}
	for _, saved := range state.Subscriptions {
		sub := newSubscription(saved.ID, saved.Created, saved.Publishing, state.ServerURI)
		sub.silence, sub.stored = saved.Silence, positions[saved.ID]
		sub.expected = next(sub.stored)
		for _, item := range saved.Items {
			m := &monitored{handle: item.Handle, id: item.ID}
			if n, err := hex.Decode(m.print[:], []byte(item.Print)); err != nil || n != len(m.print) {
				return fmt.Errorf("%s: a fingerprint is none", s.files.subscriptions())
			}
			sub.items[m.handle] = m
		}
		subs[sub.id] = sub
	}
	r := binary.NewReader(state.Session.Token, len(state.Session.Token))
	if token := r.NodeID(); r.Err() == nil && !token.IsNull() {
		s.session = &session{token: token, serverURI: state.ServerURI, serverNonce: state.Session.Nonce}
	}
	s.subs, s.nextHandle, s.serverID = subs, state.NextHandle, serverID{state.ServerURI, state.Started}
	return nil
}
