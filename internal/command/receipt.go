package command

// A Reached counts listeners of one protocol.
type Reached struct {
	Protocol string `json:"protocol"`
	Taken    int    `json:"taken"`             // that took the command
	Refused  int    `json:"refused,omitempty"` // that could not, such as one with a topic that no device can be sent
}

// A Reach tells to whom a command was handed, each protocol once.
type Reach []Reached

// Taken is the number of listeners that took the command.
func (r Reach) Taken() (n int) {
	for _, of := range r {
		n += of.Taken
	}
	return n
}

// add counts more listeners of a protocol.
func (r Reach) add(more Reached) Reach {
	for i := range r {
		if r[i].Protocol == more.Protocol {
			r[i].Taken += more.Taken
			r[i].Refused += more.Refused
			return r
		}
	}
	return append(r, more)
}

// A Receipt tells what became of a command for one connected device.
type Receipt struct {
	Reach  Reach
	Silent int // processes that were given the command and did not say in time to whom they handed it
}
