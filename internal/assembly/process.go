package assembly

import "slices"

// A Kind says in which program a process runs.
type Kind string

// The kinds.
const (
	Function Kind = "function" // scales to zero; FAIRLEAD_FUNCTION chooses
	Gateway  Kind = "gateway"  // is long-lived; the argument of the program chooses
)

// An Access says how a process comes by what the registry knows.
type Access int

// The ways to the registry.
const (
	NoAccess  Access = iota
	Asks             // the authentication function decides about devices
	Judges           // it decides about devices itself, with the documents in Redis and in the database
	Either           // it asks where auth.client.url is set, else it judges
	Documents        // it has the documents, but no devices
)

// A Process is one of the things that a program can be.
type Process struct {
	Name    string
	Kind    Kind
	Summary string
	Groups  []string // of the configuration, beyond those of the kind and of the access
	Access  Access
	Rules   []Rule // between groups

	Commands bool // it sends or receives commands; through Redis, where that is configured
}

// The functions, as FAIRLEAD_FUNCTION names them.
const (
	Telemetry      = "telemetry"
	TTN            = "ttn"
	Auth           = "auth"
	DeviceRegistry = "registry"
	Provision      = "provision"
	Push           = "push"
	Command        = "command"
)

// The gateways, as the argument of the program names them.
const (
	MQTT   = "mqtt"
	CoAP   = "coap"
	HTTP   = "http"
	Bridge = "bridge"
	OPCUA  = "opcua"

	Integration = "integration"
)

// Groups of the configuration that make Open build a part.
const (
	groupKafka   = "kafka"   // the producer
	groupIngest  = "ingest"  // the pipeline
	groupChanges = "changes" // the registry's events
	groupSink    = "sink"    // takes the place of Kafka for events, where it is configured
)

// Processes is the table of all processes. Functions come first, then gateways.
var Processes = []Process{
	{Name: Telemetry, Kind: Function, Summary: "devices over HTTP", Groups: []string{groupKafka, groupIngest, "assertion", "telemetry"}, Access: Either, Commands: true},
	{Name: TTN, Kind: Function, Summary: "uplinks of The Things Network", Groups: []string{groupKafka, groupIngest, "assertion", "ttn", "downlink"}, Access: Either},
	{Name: Auth, Kind: Function, Summary: "judges the credentials of devices, for the other processes", Groups: []string{"api", "user"}, Access: Judges},
	{
		Name: DeviceRegistry, Kind: Function, Summary: "the API of the device registry",
		Groups: []string{groupKafka, "user", groupChanges, "registry"}, Access: Documents,
	},
	{
		Name: Push, Kind: Function, Summary: "delivers events to applications' own endpoints, for Triggers",
		Groups: []string{"user", "outbound", "push"}, Access: Documents,
	},
	{
		Name: Command, Kind: Function, Summary: "takes commands from applications and hands them to devices",
		Groups: []string{"user", "command", "outbound", "downlink"}, Access: Documents, Commands: true,
	},
	{
		Name: Provision, Kind: Function, Summary: "gives applications their topics, Brokers and Triggers",
		Groups: []string{groupKafka, groupChanges, "kubernetes", "provision"}, Access: Documents,
	},
	{
		Name: MQTT, Kind: Gateway, Summary: "devices over MQTT 3.1.1 and 5: TCP, TLS and WebSocket",
		Groups: []string{groupKafka, groupIngest, "cache", "presence", "mqtt"}, Access: Asks, Commands: true,
		// The gateway must stop reading before Kafka's bounds are reached, or messages would be refused that could have waited.
		Rules: []Rule{
			{Field: "mqtt.maxInFlight", Must: BeBelow, Other: "kafka.maxRecords"},
			{Field: "mqtt.maxInFlightBytes", Must: BeBelow, Other: "kafka.maxBytes"},
			{Field: "mqtt.drainTimeout", Must: NotBeBelow, Other: "kafka.deliveryTimeout"},
		},
	},
	{
		Name: CoAP, Kind: Gateway, Summary: "devices over CoAP: DTLS with pre-shared keys and certificates, and UDP",
		Groups: []string{groupKafka, groupIngest, "coap"}, Access: Asks, Commands: true,
	},
	{
		Name: HTTP, Kind: Gateway, Summary: "devices over HTTP with TLS: pre-shared keys and certificates, forwarded to the functions",
		Groups: []string{"assertion", "http"}, Access: Asks,
	},
	{
		Name: Bridge, Kind: Gateway, Summary: "forwards from an MQTT broker that a site already runs",
		Groups: []string{groupKafka, groupIngest, "bridge"}, Access: Asks,
	},
	{
		Name: OPCUA, Kind: Gateway, Summary: "machines that are OPC UA servers",
		Groups: []string{groupKafka, groupIngest, "cache", "presence", "opcua"}, Access: Asks, Commands: true,
		// Kafka never has to refuse a message because too many wait: that would let another one of the same device overtake it.
		Rules: []Rule{
			{Field: "opcua.inFlight", Must: BeBelow, Other: "kafka.maxRecords"},
			{Field: "opcua.drainTimeout", Must: NotBeBelow, Other: "kafka.deliveryTimeout"},
		},
	},
	{
		Name: Integration, Kind: Gateway, Summary: "users who consume events: MQTT 3.1.1 and 5, WebSocket and Server-Sent Events",
		Groups: []string{groupKafka, "user", "cache", "integration"}, Access: Asks, Commands: true,
	},
}

// kindGroups are the groups that every process of a kind needs.
var kindGroups = map[Kind][]string{
	Function: {"process", "proxies"},
	Gateway:  {"process", "health"},
}

// accessGroups are the groups that an access needs. Where the cache is only listened to, it may be missing; see validated.
var accessGroups = map[Access][]string{
	Asks:      {"auth", "self"},
	Either:    {"auth", "self"},
	Judges:    {"auth", "self", "database", "cache"},
	Documents: {"database", "cache"},
}

// Of lists the processes of a kind.
func Of(kind Kind) (list []Process) {
	for _, p := range Processes {
		if p.Kind == kind {
			list = append(list, p)
		}
	}
	return list
}

// Find finds a process by its kind and name.
func Find(kind Kind, name string) (Process, bool) {
	i := slices.IndexFunc(Processes, func(p Process) bool { return p.Kind == kind && p.Name == name })
	if i < 0 {
		return Process{}, false
	}
	return Processes[i], true
}

// Needed lists the groups that the process needs whatever its configuration says.
func (p *Process) Needed() []string {
	return slices.Concat(kindGroups[p.Kind], p.Groups, accessGroups[p.Access])
}

// access is what Either comes to.
func (p *Process) access(asks bool) Access {
	switch {
	case p.Access != Either:
		return p.Access
	case asks:
		return Asks
	default:
		return Judges
	}
}
