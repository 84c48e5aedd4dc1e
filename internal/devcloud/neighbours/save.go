package neighbours

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/devcloud/folder"
)

// savedKeys are those of the presence of devices. Everything else in Redis is a cache.
const savedKeys = "fairlead:*:presence:*"

// saveTimeout bounds reading all keys.
const saveTimeout = time.Minute

// A savedKey is one key with its value, of which only the part of its type is there.
type savedKey struct {
	Name  string   `json:"name"`
	Type  string   `json:"type"`
	TTL   int64    `json:"ttl"`   // milliseconds; less than 1 for none
	Parts []string `json:"parts"` // as Redis lists them: fields and values, members and scores, or elements
}

// saveScript reads all keys at one moment.
var saveScript = redis.NewScript(`
local saved = {}
for _, name in ipairs(redis.call('KEYS', ARGV[1])) do
	local kind, parts = redis.call('TYPE', name), {}
	if type(kind) == 'table' then kind = kind.ok end
	if kind == 'hash' then parts = redis.call('HGETALL', name)
	elseif kind == 'list' then parts = redis.call('LRANGE', name, '0', '-1')
	elseif kind == 'zset' then parts = redis.call('ZRANGE', name, '0', '-1', 'WITHSCORES')
	else parts = {redis.call('GET', name)} end
	saved[#saved + 1] = {name, kind, tostring(redis.call('PTTL', name)), parts}
end
return saved`)

// A saving is one writing of the file, for which several may wait.
type saving struct {
	done chan struct{}
	err  error
}

// Save returns when what is in Redis now is in the file, for good. What is there a moment later will be, too.
func (r *Redis) Save() error {
	r.asked.Store(true)
	return r.save()
}

func (r *Redis) save() error {
	if r.file == "" {
		return nil
	}
	r.mu.Lock()
	s := r.next
	mine := s == nil
	if mine {
		s = &saving{done: make(chan struct{})}
		r.next = s
	}
	r.mu.Unlock()
	if !mine {
		<-s.done
		return s.err
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	r.next = nil // who comes from here on may have changed something that is not read any longer
	r.mu.Unlock()
	s.err = r.write()
	close(s.done)
	return s.err
}

func (r *Redis) write() error {
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	keys, err := r.read(ctx)
	if err != nil {
		return fmt.Errorf("reading the embedded Redis: %w", err)
	}
	if err := folder.WriteJSON(r.file, keys); err != nil {
		return fmt.Errorf("saving the embedded Redis: %w", err)
	}
	return nil
}

func (r *Redis) read(ctx context.Context) ([]savedKey, error) {
	client := redis.NewClient(&redis.Options{Addr: r.server.Addr(), Password: r.password})
	defer client.Close()
	rows, err := saveScript.Run(ctx, client, nil, savedKeys).Slice()
	if err != nil {
		return nil, err
	}
	keys := make([]savedKey, 0, len(rows))
	for _, row := range rows {
		fields, ok := row.([]any)
		if !ok || len(fields) != 4 {
			return nil, errors.New("an answer of another form")
		}
		key := savedKey{Name: fmt.Sprint(fields[0]), Type: fmt.Sprint(fields[1])}
		_, _ = fmt.Sscan(fmt.Sprint(fields[2]), &key.TTL)
		parts, _ := fields[3].([]any)
		for _, part := range parts {
			key.Parts = append(key.Parts, fmt.Sprint(part))
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// restore takes what the file has. The server has not started.
func (r *Redis) restore() error {
	if r.file == "" {
		return nil
	}
	text, err := os.ReadFile(r.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var keys []savedKey
	if err := json.Unmarshal(text, &keys); err != nil {
		return fmt.Errorf("%s does not parse; remove it, and devices that were connected may seem so for ever: %w", r.file, err)
	}
	for _, key := range keys {
		if err := r.put(key); err != nil {
			return fmt.Errorf("%s: %s: %w", r.file, key.Name, err)
		}
	}
	return nil
}

func (r *Redis) put(key savedKey) (err error) {
	if len(key.Parts) == 0 {
		return nil
	}
	switch key.Type {
	case "hash":
		r.server.HSet(key.Name, key.Parts...)
	case "list":
		_, err = r.server.Push(key.Name, key.Parts...)
	case "zset":
		for i := 0; i+1 < len(key.Parts) && err == nil; i += 2 {
			var score float64
			if _, err = fmt.Sscan(key.Parts[i+1], &score); err == nil {
				_, err = r.server.ZAdd(key.Name, score, key.Parts[i])
			}
		}
	case "string":
		err = r.server.Set(key.Name, key.Parts[0])
	}
	if err == nil && key.TTL > 0 {
		r.server.SetTTL(key.Name, time.Duration(key.TTL)*time.Millisecond)
	}
	return err
}

// Sessions counts the sessions of devices of which nobody has said that they ended.
func (r *Redis) Sessions() (n int) {
	for _, name := range r.server.Keys() {
		if strings.Contains(name, ":presence:held:") {
			fields, _ := r.server.HKeys(name)
			n += len(fields)
		}
	}
	return n
}
