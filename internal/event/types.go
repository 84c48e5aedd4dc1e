package event

// A Type is one of those that events in the topic of an application have.
type Type struct{ Name, Description string }

// Types are all that the data plane makes. Commands come from applications.
var Types = []Type{
	{TypeMessage, "What a device said. The subject is the channel."},
	{TypeConnection, "A device connected or disconnected."},
	{TypeLoRaWAN, "What a LoRaWAN network says about a device."},
	{TypeCommand, "A command to a device, with which a subscriber answers an event."},
}
