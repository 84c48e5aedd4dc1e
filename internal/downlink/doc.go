// Package downlink keeps where The Things Stack takes downlinks for a device, as the stack says with each of its webhooks: addresses
// with an API key. They are in Redis for some time, encrypted, and bound to the device and its application, so that the credentials of
// one never serve another.
package downlink
