package stream

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Handler takes records. It is called for the records of one partition in their order and one after the other, and for several
// partitions at once. It settles each Delivery exactly once, before it returns or later; while it has not returned, its partition
// hands out nothing else.
//
// The context ends when the time for the delivery is over, as when the process stops: then it has to be settled at once.
type Handler func(context.Context, *Delivery)

// A Delivery is one record that was handed out and is not yet settled. Its methods are safe for concurrent use.
type Delivery struct {
	Record *kgo.Record // not to be changed

	partition *partition
	position  *position
	handed    bool // guarded by the partition, as is the next one
	settled   bool
}

// Done settles the delivery: whatever was to become of the record has become of it, and it will not be read again once that is
// committed. A second call, or one after Abandon, does nothing.
func (d *Delivery) Done() { d.partition.settle(d, true) }

// Abandon settles the delivery of a record that is to be read again. That happens when the partition has its next owner, which may
// be this process: until then its position stays before the record, and what was done of the records behind it comes again, too.
// So it is for what is given up because of Stopping or of the end of the context. A second call, or one after Done, does nothing.
func (d *Delivery) Abandon() { d.partition.settle(d, false) }

// Stopping is closed when the partition goes to another member or the consumer ends. A delivery that is on its way may end then,
// but begins nothing new, such as another attempt.
func (d *Delivery) Stopping() <-chan struct{} { return d.partition.stopping }
