package ttn

import "math"

// DecodeV2 reads a webhook body of the old Things Network stack, which had uplinks only. A device name and any member
// of the message are enough. The error is a *Refusal.
func DecodeV2(body []byte) (*Upstream, error) {
	message, err := parseBody(body)
	if err != nil {
		return nil, err
	}
	if message.member("dev_id") == nil && message.member("end_device_ids") != nil {
		return nil, unsuitable("this is a message of stack v3; its path is /ttn/v3")
	}
	u := &Upstream{Kind: Uplink}
	if err := u.setDevice(message, "dev_id", "dev_id"); err != nil {
		return nil, hint(err, message)
	}
	if message.member("port") == nil && message.member("payload_raw") == nil && message.member("payload_fields") == nil {
		return nil, unsuitable("no uplink in the body: port, payload_raw and payload_fields are missing")
	}
	if err := u.setFrame(message, "port", "payload_raw", "payload_fields"); err != nil {
		return nil, err
	}
	u.markText(ExtensionHW, message, "hardware_serial")
	u.markText(ExtensionEUI, message, "hardware_serial") // v2 calls the EUI so
	u.markNumber(ExtensionCount, message, "counter", math.MaxUint32)
	u.markRetry(message)
	return u, nil
}

// markRetry takes "is_retry", which the stack leaves out when it is false.
func (u *Upstream) markRetry(message object) {
	switch string(message.member("is_retry")) {
	case "", "false", `"false"`:
		u.mark(ExtensionRetry, "false")
	case "true", `"true"`:
		u.mark(ExtensionRetry, "true")
	}
}

// hint adds to a refusal over a missing name what the body seems to be instead.
func hint(err error, message object) error {
	if message.member("deviceInfo") != nil {
		return malformed("this looks like a message of ChirpStack, which is not supported")
	}
	return err
}
