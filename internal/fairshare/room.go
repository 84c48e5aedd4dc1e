package fairshare

import (
	"container/heap"
	"container/list"
	"sync"
)

// A Room has a bounded number of places. All methods may be called from any goroutine.
type Room struct {
	size int

	mu           sync.Mutex
	taken        int
	applications map[string]*application
	fullest      byPlaces // applications
}

// A Place is taken until Leave, or until it has to give way.
type Place struct {
	room    *Room
	of      *device
	entry   *list.Element // nil when it is not taken any more
	giveWay func()
}

type application struct {
	member
	name    string
	devices map[string]*device
	fullest byPlaces // devices
}

type device struct {
	member
	application *application
	name        string
	queue       *list.List // places, the oldest first
}

// NewRoom makes a room of that many places.
func NewRoom(size int) *Room {
	return &Room{size: size, applications: map[string]*application{}}
}

// Enter takes a place for a device. If there is none, the oldest one of whoever has clearly more gives way: of an application, or
// of another device in the same one. Then giveWay of that place is called, before Enter returns, and Leave does nothing more.
func (r *Room) Enter(of, name string, giveWay func()) (p *Place, ok bool) {
	p, gone, ok := r.enter(of, name, giveWay)
	if gone != nil {
		gone.giveWay()
	}
	return p, ok
}

func (r *Room) enter(of, name string, giveWay func()) (p, gone *Place, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken >= r.size {
		if gone = r.victim(of, name); gone == nil {
			return nil, nil, false
		}
		gone.remove()
	}
	d := r.device(of, name)
	p = &Place{room: r, of: d, giveWay: giveWay}
	p.entry = d.queue.PushBack(p)
	r.count(d, 1)
	return p, gone, true
}

// victim is the place that gives way. Who has only one more than who comes does not, so that two do not displace each other in turn.
func (r *Room) victim(of, name string) *Place {
	if len(r.fullest) == 0 {
		return nil
	}
	most, own := r.fullest[0].(*application), r.applications[of] //nolint:forcetypeassert // it holds nothing else
	if own != nil && most.places < own.places+2 {
		most = own
	}
	fullest := most.fullest[0].(*device) //nolint:forcetypeassert // see above
	mine := 0
	if most == own && own.devices[name] != nil {
		mine = own.devices[name].places
	}
	if most == own && fullest.places < mine+2 {
		return nil
	}
	return fullest.queue.Front().Value.(*Place) //nolint:forcetypeassert // see above
}

// device finds a device, or makes it.
func (r *Room) device(of, name string) *device {
	a := r.applications[of]
	if a == nil {
		a = &application{name: of, devices: map[string]*device{}}
		r.applications[of] = a
		heap.Push(&r.fullest, a)
	}
	d := a.devices[name]
	if d == nil {
		d = &device{application: a, name: name, queue: list.New()}
		a.devices[name] = d
		heap.Push(&a.fullest, d)
	}
	return d
}

// count adds to the places of a device, and forgets who has none.
func (r *Room) count(d *device, n int) {
	a := d.application
	r.taken += n
	d.places += n
	a.places += n
	heap.Fix(&a.fullest, d.index)
	heap.Fix(&r.fullest, a.index)
	if d.places == 0 {
		heap.Remove(&a.fullest, d.index)
		delete(a.devices, d.name)
	}
	if a.places == 0 {
		heap.Remove(&r.fullest, a.index)
		delete(r.applications, a.name)
	}
}

// remove gives the place back, if it is still taken. The caller holds the lock.
func (p *Place) remove() {
	if p.entry == nil {
		return
	}
	p.of.queue.Remove(p.entry)
	p.entry = nil
	p.room.count(p.of, -1)
}

// Leave gives the place back. Doing so again does nothing.
func (p *Place) Leave() {
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	p.remove()
}

// Len is the number of places that are taken.
func (r *Room) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.taken
}
