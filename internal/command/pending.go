package command

import "sync"

// pending is who waits for replies, by the ID that these bear.
type pending struct {
	mu   sync.Mutex
	byID map[string]func(r reply, body []byte)
}

// expect has hear called for replies of an ID, until cancel. hear must not block.
func (p *pending) expect(id string, hear func(r reply, body []byte)) (cancel func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byID == nil {
		p.byID = map[string]func(reply, []byte){}
	}
	p.byID[id] = hear
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.byID, id)
	}
}

// hear hands a reply to who waits for it, and tells whether there is somebody.
func (p *pending) hear(r reply, body []byte) bool {
	p.mu.Lock()
	hear, ok := p.byID[r.ID]
	p.mu.Unlock()
	if ok {
		hear(r, body)
	}
	return ok
}
