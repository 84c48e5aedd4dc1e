package registry

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

// The sections of specifications, as CheckApplication and CheckDevice know them. Those of Drogue Cloud that nothing reads
// here yet may hold anything, but are names that somebody may mean.
var (
	applicationSections = map[string]*shape{
		SectionCore:         coreShape,
		SectionMQTT:         mqttShape,
		SectionTrustAnchors: {kind: isObject, members: map[string]*shape{"anchors": {kind: isList, each: anchorShape}}},
		SectionTTN:          anything,
		// Validate refuses what is not known in it.
		SectionDeviceRegistration: anything,
		"publish":                 anything,
		"command":                 anything,
		"downstream":              anything,
		SectionKnative:            knativeShape,
		"ditto":                   anything,
	}
	deviceSections = map[string]*shape{
		SectionCore:            coreShape,
		SectionMQTT:            mqttShape,
		SectionAuthentication:  authenticationShape,
		SectionCredentials:     authenticationShape,
		SectionAlias:           {kind: isList, each: text},
		SectionGatewaySelector: {kind: isObject, members: map[string]*shape{"matchNames": {kind: isList, each: nonempty}}},
		SectionLoRaWAN:         {kind: isObject, members: map[string]*shape{"ports": {kind: isObject, each: portShape}}},
		SectionTTN:             ttnShape,
		SectionCommands:        commandsShape,
	}
)

var (
	anything = &shape{}
	text     = &shape{kind: isText}
	flag     = &shape{kind: isFlag}
	nonempty = &shape{kind: isText, check: func(raw json.RawMessage) string {
		if read(raw) == "" {
			return "is empty"
		}
		return ""
	}}
	moment = &shape{kind: isText, check: func(raw json.RawMessage) string {
		if _, err := time.Parse(time.RFC3339, read(raw)); err != nil {
			return "must be a time such as 2030-01-01T00:00:00Z"
		}
		return ""
	}}
)

var (
	coreShape = &shape{kind: isObject, members: map[string]*shape{"disabled": flag}}
	mqttShape = &shape{kind: isObject, members: map[string]*shape{"dialect": {
		kind: isObject, needs: []string{"type"}, members: map[string]*shape{"type": oneOf("drogue/v1", "plainTopic"), "devicePrefix": flag},
	}}}
	anchorShape = &shape{kind: isObject, needs: []string{"certificate"}, members: map[string]*shape{"certificate": text}}
	portShape   = &shape{kind: isObject, members: map[string]*shape{"data_schema": text}}
	ttnShape    = &shape{kind: isObject, members: map[string]*shape{
		"payload": oneOf(string(TTNRaw), string(TTNFields)),
		"dev_eui": anything, "app_eui": anything, "app_key": anything, "frequency_plan_id": anything,
		"lorawan_version": anything, "lorawan_phy_version": anything, "supports_class_b": anything, "supports_class_c": anything,
	}}
)

var (
	authenticationShape = &shape{kind: isObject, members: map[string]*shape{"credentials": {kind: isList, each: credentialShape}}}
	credentialShape     = &shape{kind: isObject, oneOf: true, members: map[string]*shape{
		"pass": passwordShape,
		"user": {kind: isObject, needs: []string{"username", "password"}, members: map[string]*shape{
			"username": nonempty, "password": passwordShape, "unique": flag,
		}},
		"psk": {kind: isObject, needs: []string{"key"}, members: map[string]*shape{
			"key": {kind: isText, check: checkKey},
			"validity": {kind: isObject, needs: []string{"notBefore", "notAfter"}, members: map[string]*shape{
				"notBefore": moment, "notAfter": moment,
			}},
		}},
		"cert": nonempty,
	}}
	passwordShape = &shape{check: checkPassword}
)

// The forms of whole hashes: one that was cut short while it was copied admits nobody.
var (
	bcryptForm = regexp.MustCompile(`^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)
	sha512Form = regexp.MustCompile(`^\$6\$(rounds=[0-9]+\$)?[^$]*\$[./A-Za-z0-9]{86}$`)
)

func read(raw json.RawMessage) (text string) {
	_ = json.Unmarshal(raw, &text)
	return text
}

// oneOf is a text that says one of some things.
func oneOf(known ...string) *shape {
	return &shape{kind: isText, check: func(raw json.RawMessage) string {
		given := read(raw)
		for _, one := range known {
			if given == one {
				return ""
			}
		}
		return "must be one of " + strings.Join(known, ", ")
	}}
}

func checkKey(raw json.RawMessage) string {
	key, err := base64.StdEncoding.DecodeString(read(raw))
	switch {
	case err != nil:
		return "must be base64"
	case len(key) == 0:
		return "is empty, and admits nobody"
	}
	return ""
}

// checkPassword looks at what Password.UnmarshalJSON reads.
func checkPassword(raw json.RawMessage) string {
	var p Password
	switch err := json.Unmarshal(raw, &p); {
	case err != nil:
		return err.Error()
	case p.None():
		return "is empty, and admits nobody"
	case p.Kind == BcryptHash && !bcryptForm.MatchString(p.Value):
		return "is no bcrypt hash, and admits nobody"
	case p.Kind == SHA512Crypt && !sha512Form.MatchString(p.Value):
		return "is no hash of SHA-512 crypt, and admits nobody"
	case p.Kind == SaltedSHA256:
		if _, err := ParseSaltedHash(p.Value); err != nil {
			return "is no salted SHA-256 (" + err.Error() + "), and admits nobody"
		}
	}
	return ""
}
