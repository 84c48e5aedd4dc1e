// Package packet reads and writes the control packets of MQTT 3.1.1 and MQTT 5.0, as a server sees them.
//
// What a client may send is decoded in place: strings and byte slices of a decoded packet lie in the buffer that was
// given to Decode, and are valid as long as that is. Decoding a PUBLISH allocates nothing. Every rule of the
// specifications that concerns one packet is checked (flags, lengths, UTF-8, which properties are allowed and how often);
// what breaks one is an [*Error] with the reason code that MQTT 5 has for it. What depends on earlier packets (packet
// identifiers, topic aliases, receive maximum) is the business of package mqtt.
//
// What a server sends is appended to a slice and never fails. Its texts have to be UTF-8 without U+0000; what does not fit
// in the 65,535 bytes of a text is cut off between two characters. A packet of 256 MiB or more is not appended.
//
// Section numbers in comments are those of MQTT 5.0 unless they say otherwise.
package packet
