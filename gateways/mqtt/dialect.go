package mqtt

import (
	"strings"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// A destination is what the topic of a message says.
type destination struct {
	channel string
	device  string // name or alias of the device that the message is about
	proxied bool   // whether the topic names a device; it may be the connected one
}

// destinationOf reads a topic:
//
//	dialect                 topic                channel     device
//	drogue/v1               <channel>            <channel>
//	                        <channel>/<device>   <channel>   <device>
//	                        command/response and command/response/<device>, of answers to commands, have the channel command/response
//	plainTopic              anything             all of it
//	plainTopic with device  /<channel>           <channel>
//	                        <device>/<channel>   <channel>   <device>
//
// A channel of plainTopic may have slashes. Nothing in a topic is decoded. Every other topic is outcome.Invalid. Whether the
// channel can be one is judged by the pipeline.
func destinationOf(d registry.Dialect, topic string) (destination, error) {
	switch d {
	case registry.PlainTopic:
		return destination{channel: topic}, nil
	case registry.PlainTopicWithDevice:
		device, channel, ok := strings.Cut(topic, "/")
		if !ok {
			return destination{}, invalidTopic("a topic has the form device/channel")
		}
		return destination{channel, device, device != ""}, nil
	default:
		if answer, ok := answerTo(topic); ok {
			return answer, nil
		}
		channel, device, proxied := strings.Cut(topic, "/")
		if strings.Contains(device, "/") {
			return destination{}, invalidTopic("a topic has the form channel or channel/device")
		}
		return destination{channel, device, proxied}, nil
	}
}

// answerTo reads the topics of answers to commands in the dialect drogue/v1.
func answerTo(topic string) (d destination, ok bool) {
	rest, ok := strings.CutPrefix(topic, command.ResponseChannel)
	if !ok || rest != "" && (rest[0] != '/' || strings.Contains(rest[1:], "/")) {
		return destination{}, false
	}
	d.channel = command.ResponseChannel
	_, d.device, d.proxied = strings.Cut(rest, "/")
	return d, true
}

func invalidTopic(reason string) error { return outcome.New(outcome.Invalid, reason) }
