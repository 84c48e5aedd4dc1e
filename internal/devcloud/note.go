package devcloud

import (
	"fmt"
	"strings"
)

// NoteFile is the name of the file in the data folder that holds the Note as JSON.
const NoteFile = "dev.json"

// A Note says where everything is, for scripts. Its file is readable for its owner only, since it holds passwords.
type Note struct {
	PID         int      `json:"pid"`
	Data        string   `json:"data"`
	HTTP        string   `json:"http"` // URL, as are the following
	HTTPS       string   `json:"https,omitempty"`
	TTN         string   `json:"ttn"`
	MQTT        string   `json:"mqtt,omitempty"`
	MQTTS       string   `json:"mqtts,omitempty"`
	MQTTWS      string   `json:"mqttWebSocket,omitempty"`
	MQTTWSS     string   `json:"mqttWebSocketTLS,omitempty"`
	COAP        string   `json:"coap,omitempty"`
	COAPS       string   `json:"coaps,omitempty"`
	Consumers   string   `json:"integrationMQTT,omitempty"` // for users who consume events
	ConsumerWeb string   `json:"integrationWeb,omitempty"`  // WebSocket and Server-Sent Events
	CA          string   `json:"ca,omitempty"`              // file with the certificate of the authority that clients over TLS have to trust
	API         string   `json:"api,omitempty"`
	Auth        string   `json:"auth"`
	AuthToken   string   `json:"authToken"` // FAIRLEAD_AUTH_CLIENT_TOKEN of who asks there
	Metrics     string   `json:"metrics,omitempty"`
	Receiver    string   `json:"receiver,omitempty"`
	DeadLetters string   `json:"deadLetters,omitempty"`
	Kafka       []string `json:"kafka"` // addresses of brokers
	KafkaSecret string   `json:"kafkaSecret,omitempty"`
	Redis       string   `json:"redis,omitempty"`    // only of the embedded server: the URL of another is its owner's
	Database    string   `json:"database,omitempty"` // file of the embedded database
	Triggers    string   `json:"triggers"`           // folder
	Example     *Example `json:"example,omitempty"`
	Account     *Account `json:"account,omitempty"` // for the API
}

// quote makes a text one word of a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// percentEncode spells a device name so that neither the at sign nor the colon in it ends it.
func percentEncode(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
