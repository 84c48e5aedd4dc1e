package devcloud

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/internal/devcloud/registryfile"
	"github.com/fairlead/fairlead/internal/registry"
)

// NoteFile is the name of the file in the data folder that holds the Note as JSON.
const NoteFile = "dev.json"

// A Note says where everything is, for scripts. Its file is readable for its owner only, since it holds passwords.
type Note struct {
	PID         int      `json:"pid"`
	Data        string   `json:"data"`
	HTTP        string   `json:"http"` // URL, as are the following
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
	Redis       string   `json:"redis,omitempty"`    // only of the embedded server: the URL of another may hold a password
	Database    string   `json:"database,omitempty"` // file of the embedded database
	Triggers    string   `json:"triggers"`           // folder
	Example     *Example `json:"example,omitempty"`
	Account     *Account `json:"account,omitempty"` // for the API
}

// An Example is a log-in that works and what to do with it.
type Example struct {
	Application string `json:"application"`
	Device      string `json:"device"`
	Username    string `json:"username"` // for HTTP Basic authentication
	Password    string `json:"password"`
	Curl        string `json:"curl"`
}

// newExample finds a device that can log in with a plain password. There may be none.
func newExample(contents registryfile.Contents, url string) *Example {
	for _, d := range contents.Devices {
		credentials, err := d.Credentials()
		if err != nil || !d.Spec.Enabled() {
			continue
		}
		for _, c := range credentials {
			if c.Password != nil && c.Password.Kind == registry.PlainPassword {
				return exampleOf(d, c.Password.Value, url)
			}
		}
	}
	return nil
}

func exampleOf(d *registry.Device, password, url string) *Example {
	e := &Example{Application: d.Metadata.Application, Device: d.Metadata.Name, Password: password}
	e.Username = percentEncode(e.Device) + "@" + e.Application
	e.Curl = e.CurlWith(password, url)
	return e
}

// CurlWith is a command line that posts in the device's name, with that password.
func (e *Example) CurlWith(password, url string) string {
	return fmt.Sprintf(`curl -u %s -H 'Content-Type: application/json' -d '{"temperature": 21.5}' %s/v1/telemetry`,
		quote(e.Username+":"+password), url)
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
