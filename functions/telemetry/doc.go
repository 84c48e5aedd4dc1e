// Package telemetry is the device-facing HTTP endpoint: POST /v1/{channel} publishes one message.
//
// It turns a request into a log-in and a message, and an outcome into a response. What a message becomes is decided in
// internal/ingest, who may send it in internal/auth.
package telemetry
