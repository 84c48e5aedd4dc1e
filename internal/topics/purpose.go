package topics

import "github.com/fairlead/fairlead/internal/event"

// A Purpose is what a topic of an application is for.
type Purpose string

// The purposes.
const (
	Events      Purpose = ""
	DeadLetters Purpose = "dead-letters" // events that could not be delivered
)

// Topic is the name of the topic of an application.
func (p Purpose) Topic(application string) string {
	if p == DeadLetters {
		return event.DeadLetterTopic(application)
	}
	return event.Topic(application)
}

// maker is under which name it is remembered that a topic was made: each has one of its own.
func (p Purpose) maker(uid string) string {
	if p == Events {
		return uid
	}
	return uid + "/" + string(p)
}
