package ttn

import (
	"math"
	"strings"
)

// DecodeV3 reads a webhook body of The Things Stack: an ApplicationUp message in JSON. A device name and exactly one
// message of a known kind are enough. The error is a *Refusal.
func DecodeV3(body []byte) (*Upstream, error) {
	up, err := parseBody(body)
	if err != nil {
		return nil, err
	}
	if up.member("end_device_ids") == nil {
		if up.member("dev_id") != nil {
			return nil, unsuitable("this is a message of stack v2; its path is /ttn/v2")
		}
		return nil, hint(malformed("end_device_ids.device_id is missing"), up)
	}
	ids, err := parseObject(up["end_device_ids"], "end_device_ids")
	if err != nil {
		return nil, err
	}
	u := &Upstream{}
	if err := u.setDevice(ids, "device_id", "end_device_ids.device_id"); err != nil {
		return nil, err
	}
	if u.Kind, err = kindOf(up); err != nil {
		return nil, err
	}
	message, err := parseObject(up[string(u.Kind)], string(u.Kind))
	if err != nil {
		return nil, err
	}
	u.markText(ExtensionHW, ids, "dev_addr")
	u.markText(ExtensionEUI, ids, "dev_eui")
	if err := u.setMessage(message); err != nil {
		return nil, err
	}
	return u, nil
}

// kindOf finds the one message in a body.
func kindOf(up object) (Kind, error) {
	var found []string
	for _, kind := range kinds() {
		if up.member(string(kind)) != nil {
			found = append(found, string(kind))
		}
	}
	switch len(found) {
	case 1:
		return Kind(found[0]), nil
	case 0:
		return "", unsuitable("no message of a known kind in the body")
	default:
		return "", unsuitable("more than one message in the body: " + strings.Join(found, ", "))
	}
}

// setMessage takes what the event needs from the message itself.
func (u *Upstream) setMessage(message object) error {
	switch u.Kind {
	case Uplink:
		if err := u.setFrame(message, "f_port", "frm_payload", "decoded_payload"); err != nil {
			return err
		}
	case UplinkNormalized:
		if err := u.setFrame(message, "f_port", "frm_payload", "normalized_payload"); err != nil {
			return err
		}
	case DownlinkAck, DownlinkNack, DownlinkSent, DownlinkQueued:
		u.markNumber(ExtensionPort, message, "f_port", math.MaxUint16)
	case DownlinkFailed:
		// The downlink lies one level deeper, beside the error. Neither is needed to tell of the failure.
		downlink, err := parseObject(message["downlink"], "downlink_failed.downlink")
		if err != nil {
			return nil //nolint:nilerr // only marks are lost
		}
		message = downlink
		u.markNumber(ExtensionPort, message, "f_port", math.MaxUint16)
	default:
		return nil
	}
	u.markNumber(ExtensionCount, message, "f_cnt", math.MaxUint32)
	return nil
}
