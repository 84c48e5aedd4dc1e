package functions

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/assembly/assemblytest"
)

const introduction = `# Configuration of the functions

Functions are configured by environment variables. Durations are written like ` + "`250ms`, `10s` or `1m30s`" + `, lists with commas, and
booleans as ` + "`true` or `false`" + `. A variable that begins with ` + "`FAIRLEAD_`" + ` and is not in this list stops the function with an error,
and so does a value out of its range; errors name the setting by its path, such as ` + "`kafka.deliveryTimeout`" + `.

Which groups a function needs, besides ` + "`PROCESS` and `PROXIES`" + `:

GROUPS

With ` + "`FAIRLEAD_AUTH_CLIENT_URL`, a `FAIRLEAD_CACHE_URL`" + ` is optional: with it the function hears at once of devices that are locked out.
With ` + "`FAIRLEAD_SINK_URL` or `K_SINK`" + ` a [CloudEvents sink](guides/sink.md) takes the place of Kafka in telemetry and ttn, and ` + "`SINK` that of `KAFKA`" + `. Registry and provision tell it of
changes, and need ` + "`KAFKA`" + ` still, for the topics of applications.
How functions show each other who they are is in ` + "`SELF`, and whom auth answers in `API` and `USER`" + `; see the [guide](guides/users.md).

This page is generated from the code: ` + "`go test ./internal/assembly/functions -run Documented -update`" + `.

`

func TestConfigurationIsDocumented(t *testing.T) {
	c := DefaultConfig()
	assemblytest.Documented(t, "../../../docs/configuration.md", introduction, assembly.Function, &c)
}

func TestEverySettingHasAMeaning(t *testing.T) {
	c := DefaultConfig()
	assemblytest.Meaningful(t, &c)
}

func TestTable(t *testing.T) {
	c := DefaultConfig()
	assemblytest.Complete(t, assembly.Function, constructors)
	assemblytest.Known(t, assembly.Function, &c)
}

func TestLoadConfig(t *testing.T) {
	const (
		kafka    = "FAIRLEAD_KAFKA_BROKERS=127.0.0.1:9092"
		database = "FAIRLEAD_DATABASE_URL=postgres://u:hunter2@127.0.0.1/x"
		redis    = "FAIRLEAD_CACHE_URL=redis://:hunter2@127.0.0.1:6379/0"
		remote   = "FAIRLEAD_AUTH_CLIENT_URL=http://127.0.0.1:8083"
	)
	f := func(want string, environment ...string) {
		t.Helper()
		_, err := LoadConfig(environment)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("LoadConfig(%q) = %v, want %q", environment, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
	f("", kafka, database, redis)
	f("", kafka, remote)
	f("", kafka, remote, redis)
	f("", "FAIRLEAD_FUNCTION=auth", database, redis)
	f("", "FAIRLEAD_FUNCTION=ttn", kafka, database, redis)
	const (
		registry = "FAIRLEAD_FUNCTION=registry"
		api      = "FAIRLEAD_REGISTRY_ENDPOINTS_API=https://api.example.com"
		issuer   = "FAIRLEAD_USER_PROVIDERS_MAIN_ISSUER=https://sso.example.com/realms/drogue"
		clients  = "FAIRLEAD_USER_PROVIDERS_MAIN_CLIENTS=drogue"
	)
	f("", registry, kafka, database, redis, api)
	f("", registry, kafka, database, redis, api, issuer, clients, remote)
	f("registry.endpoints.api", registry, kafka, database, redis)
	f("database.url", registry, kafka, redis, api)
	f("kafka.brokers", registry, database, redis, api)
	f("changes.interval", registry, kafka, database, redis, api, "FAIRLEAD_CHANGES_INTERVAL=0s")
	f("user.providers.main", registry, kafka, database, redis, api, issuer)
	const provision = "FAIRLEAD_FUNCTION=provision"
	f("", provision, kafka, database, redis)
	f("", provision, kafka, database, redis, "FAIRLEAD_KUBERNETES_URL=https://127.0.0.1:6443", "FAIRLEAD_KUBERNETES_NAMESPACE=fairlead")
	f("kubernetes.url", provision, kafka, database, redis, "FAIRLEAD_KUBERNETES_URL=127.0.0.1:6443")
	f("provision.delivery.backoff", provision, kafka, database, redis, "FAIRLEAD_PROVISION_DELIVERY_BACKOFF=50ms")
	f("database.url", provision, kafka, redis)
	f("kafka.brokers", database, redis)
	f("database.url", kafka, redis)
	f("cache.url", kafka, database)
	f("database.url", "FAIRLEAD_FUNCTION=auth", remote, redis)
	f("", "FAIRLEAD_FUNCTION=auth", database, redis, "FAIRLEAD_USER_PROVIDERS_A_ISSUER=https://a.example", "FAIRLEAD_USER_PROVIDERS_A_CLIENTS=services")
	f("user.providers.a.clients", "FAIRLEAD_FUNCTION=auth", database, redis, "FAIRLEAD_USER_PROVIDERS_A_ISSUER=https://a.example")
	f("self.clientID", kafka, remote, "FAIRLEAD_SELF_TOKEN_URL=https://a.example/token")
	f("function: must be", "FAIRLEAD_FUNCTION=telemetri", kafka, remote)
	f("FAIRLEAD_KAFKA_BROKER is not a setting", "FAIRLEAD_KAFKA_BROKER=x", kafka, remote)
	f("kafka.deliveryTimeout", "FAIRLEAD_KAFKA_DELIVERY_TIMEOUT=1h", kafka, remote)
	f("telemetry.maxWait", "FAIRLEAD_TELEMETRY_MAX_WAIT=2m", kafka, remote)
	f("cache.url", kafka, remote, "FAIRLEAD_CACHE_URL=hunter2")
	f("", "K_SINK=http://broker.example", remote)
	f("sink.ceOverrides", "K_SINK=http://broker.example", "K_CE_OVERRIDES=x", remote)
	f("kafka.brokers", registry, database, redis, api, "K_SINK=http://broker.example") // which makes topics
	const push = "FAIRLEAD_FUNCTION=push"
	f("", push, database, redis)
	f("database.url", push, redis)
	f("outbound.allow", push, database, redis, "FAIRLEAD_OUTBOUND_ALLOW=http://x")
}
