package main

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// What is sent: JSON, whose check and compaction is part of what telemetry does.
const (
	bodySize    = 100
	contentType = "application/json"
	channel     = "bench"
)

// body is a JSON object of bodySize bytes.
func body() string {
	const start, end = `{"temperature":21.5,"humidity":40.25,"battery":3.14,"sequence":1234567890,"note":"`, `"}`
	return start + strings.Repeat("x", bodySize-len(start)-len(end)) + end
}

// request is a publish of HTTP/1.1, ready for the wire.
func request(address, user, password string) []byte {
	text := body()
	return fmt.Appendf(nil, "POST /v1/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		channel, address, basicAuthorization(user, password), contentType, len(text), text)
}

func basicAuthorization(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
