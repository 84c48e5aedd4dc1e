package ttn

import "github.com/fairlead/fairlead/internal/event"

// A Kind is one of the messages that the stack has about a device. Its text is the member of the v3 body that holds the
// message.
type Kind string

// The kinds of The Things Stack v3, which are the alternatives of "up" in its ApplicationUp message. V2 knows only
// uplinks.
const (
	Uplink                   Kind = "uplink_message"
	UplinkNormalized         Kind = "uplink_normalized"
	JoinAccept               Kind = "join_accept"
	DownlinkAck              Kind = "downlink_ack"
	DownlinkNack             Kind = "downlink_nack"
	DownlinkSent             Kind = "downlink_sent"
	DownlinkFailed           Kind = "downlink_failed"
	DownlinkQueued           Kind = "downlink_queued"
	DownlinkQueueInvalidated Kind = "downlink_queue_invalidated"
	LocationSolved           Kind = "location_solved"
	ServiceData              Kind = "service_data"
)

// subject is the subject of the events of each kind. That of an uplink is its port, in decimal.
func (k Kind) subject() string {
	switch k {
	case UplinkNormalized:
		return "normalized"
	case JoinAccept:
		return "join"
	case DownlinkAck:
		return "downlink/ack"
	case DownlinkNack:
		return "downlink/nack"
	case DownlinkSent:
		return "downlink/sent"
	case DownlinkFailed:
		return "downlink/failed"
	case DownlinkQueued:
		return "downlink/queued"
	case DownlinkQueueInvalidated:
		return "downlink/queue-invalidated"
	case LocationSolved:
		return "location"
	case ServiceData:
		return "service-data"
	default:
		return ""
	}
}

// eventType tells apart what the device said from what the network says of it. A normalized uplink is of the second
// sort, since it repeats an uplink that the stack also sends as it came.
func (k Kind) eventType() string {
	if k == Uplink {
		return event.TypeMessage
	}
	return event.TypeLoRaWAN
}

// kinds lists the kinds in the order in which the stack declares them.
func kinds() []Kind {
	return []Kind{
		Uplink, UplinkNormalized, JoinAccept,
		DownlinkAck, DownlinkNack, DownlinkSent, DownlinkFailed, DownlinkQueued, DownlinkQueueInvalidated,
		LocationSolved, ServiceData,
	}
}
