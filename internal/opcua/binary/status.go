package binary

import (
	"fmt"
	"strings"

	"github.com/gopcua/opcua/ua"
)

// The status codes that mean something to a client.
const (
	StatusGood                      StatusCode = 0
	StatusBadTimeout                StatusCode = 0x800A0000
	StatusBadRequestTooLarge        StatusCode = 0x80B80000
	StatusBadSecurityChecksFailed   StatusCode = 0x80130000
	StatusBadNoSubscription         StatusCode = 0x80790000
	StatusBadSubscriptionIDInvalid  StatusCode = 0x80280000
	StatusBadMessageNotAvailable    StatusCode = 0x807B0000
	StatusBadTooManyPublishRequests StatusCode = 0x80780000
	StatusBadServiceUnsupported     StatusCode = 0x800B0000
	StatusBadNodeIDUnknown          StatusCode = 0x80340000
	StatusBadNoMatch                StatusCode = 0x806F0000
	StatusBadDecodingError          StatusCode = 0x80070000
)

// The bits of a status code about a value that was sampled (OPC 10000-4, 7.39).
const (
	infoMask     = 0x0C00
	infoData     = 0x0400
	infoOverflow = 0x0080
)

// Good tells that the value can be used. Uncertain and bad ones are neither good nor absent.
func (s StatusCode) Good() bool { return s>>30 == 0 }

// Bad tells that the value cannot be used, or that what was asked for was not done.
func (s StatusCode) Bad() bool { return s>>30 >= 2 }

// Overflow tells that the server dropped other values of the node, since its queue was full.
func (s StatusCode) Overflow() bool { return s&infoMask == infoData && s&infoOverflow != 0 }

// String is the symbolic name, such as "BadNodeIdUnknown", without what the lower bits say; an unknown code is a number.
func (s StatusCode) String() string {
	code := ua.StatusCode(s & 0xFFFF0000)
	if code == 0 {
		return "Good"
	}
	described, known := ua.StatusCodes[code]
	if !known {
		return fmt.Sprintf("0x%08X", uint32(s))
	}
	return strings.NewReplacer("ID", "Id", "URI", "Uri", "URL", "Url", "TCP", "Tcp").Replace(strings.TrimPrefix(described.Name, "Status"))
}

// Error is the symbolic name.
func (s StatusCode) Error() string { return s.String() }
