package external

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/registry"
)

// A plainBody is a command for an endpoint without a type. Payloads are base64 here and below.
type plainBody struct {
	Application string `json:"application"`
	Device      string `json:"device"`
	Command     string `json:"command"`
	Payload     string `json:"payload"`
}

// A v2Body is a downlink of the old Things Network stack.
type v2Body struct {
	Device    string  `json:"dev_id"`
	Port      uint8   `json:"port"`
	Confirmed bool    `json:"confirmed"`
	Raw       *string `json:"payload_raw,omitempty"`
	Fields    *fields `json:"payload_fields,omitempty"`
}

// A v3Body has downlinks for The Things Stack.
type v3Body struct {
	Downlinks []v3Downlink `json:"downlinks"`
}

type v3Downlink struct {
	Port    uint8  `json:"f_port"`
	Payload string `json:"frm_payload"`
}

// fields are a command that names no port.
type fields struct {
	Command string `json:"command"`
	Payload string `json:"command_payload"`
}

// fieldsPort is where such commands go.
const fieldsPort = 1

// portCommand begins the name of a command whose payload goes to a LoRaWAN port as it is.
const portCommand = "port:"

// bodyOf writes a command as an endpoint of a type reads it.
func bodyOf(t registry.CommandType, c *command.Command) ([]byte, error) {
	payload := base64.StdEncoding.EncodeToString(c.Payload)
	if t == registry.PlainCommands {
		return compact(plainBody{c.Application, c.Device, c.Name, payload})
	}
	port, raw, err := portOf(c.Name)
	if err != nil {
		return nil, err
	}
	named := fields{c.Name, payload}
	if t != registry.TTNv3Commands {
		body := v2Body{Device: c.Device, Port: port, Raw: &payload}
		if !raw {
			body.Raw, body.Fields = nil, &named
		}
		return compact(body)
	}
	if !raw {
		text, err := compact(named)
		if err != nil {
			return nil, err
		}
		payload = base64.StdEncoding.EncodeToString(text)
	}
	return compact(v3Body{[]v3Downlink{{port, payload}}})
}

// portOf is the LoRaWAN port to which a command goes, and whether its name is that port.
func portOf(name string) (port uint8, raw bool, err error) {
	text, raw := strings.CutPrefix(name, portCommand)
	if !raw {
		return fieldsPort, false, nil
	}
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return 0, true, errors.New("the command port:<n> has no port from 0 to 255")
	}
	return uint8(n), true, nil
}

// compact is JSON without spaces, in which <, > and & stand for themselves.
func compact(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("writing a command as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// replaceURL is where The Things Stack takes what shall be the whole queue of a device, below the URL of an application's devices.
func replaceURL(devices, device string) (string, error) {
	u, err := url.Parse(devices)
	if err != nil {
		return "", errors.New("the endpoint's URL is not valid")
	}
	if device == "." || device == ".." {
		return "", errors.New("the device has a name that no path can have")
	}
	const operation = "/down/replace"
	escaped := strings.TrimSuffix(u.EscapedPath(), "/") + "/" + url.PathEscape(device) + operation
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/")+"/"+device+operation, escaped
	return u.String(), nil
}
