package devcloud

import (
	"encoding/hex"
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
	Key         string `json:"key,omitempty"` // of the device's pre-shared key, in hexadecimal digits
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
				e := exampleOf(d, c.Password.Value, url)
				e.Key = keyOf(credentials)
				return e
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

// OpenSSL is a command line that posts in the device's name, with its pre-shared key, to an address of the gateway for HTTP; "" if it has no
// key.
func (e *Example) OpenSSL(address string) string {
	if e.Key == "" {
		return ""
	}
	const body = `{"temperature": 21.5}`
	request := fmt.Sprintf(`POST /v1/telemetry HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n`, len(body))
	return fmt.Sprintf("printf %s | openssl s_client -quiet -connect %s -psk_identity %s -psk %s",
		quote(request+body), address, quote(e.Device+"@"+e.Application), e.Key)
}

// keyOf is the first pre-shared key, in hexadecimal digits.
func keyOf(credentials []registry.Credential) string {
	for _, c := range credentials {
		if c.PreSharedKey != nil {
			return hex.EncodeToString(c.PreSharedKey.Key)
		}
	}
	return ""
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
