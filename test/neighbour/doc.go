// Package neighbour runs the real servers that Fairlead lives next to (Apache Kafka, Redis, PostgreSQL, mosquitto, Keycloak), so that tests and benchmarks
// meet the servers' own behaviour, including their deaths, and need nothing prepared but test/deps/install.
//
// Every server listens on 127.0.0.1 and a free port, keeps its data and its log in a temporary folder of its own, and is ready for use when
// its Start function returns. A server dies with the process that started it, however that process ends; the folder of a process
// that was killed is removed by the next one that starts a server.
//
// A test that does not harm its servers shares one instance per test binary:
//
//	func TestMain(m *testing.M) { os.Exit(neighbour.Main(m)) }
//
//	func TestProduce(t *testing.T) {
//		kafka := neighbour.SharedKafka(t)
//		topic := kafka.Topic(t, 1)
//		…
//	}
//
// Main stops what was shared after the last test. Without it the servers still end with the test binary, only their folders stay until the
// next run. Isolation inside a shared server comes from [Kafka.Topic], [Redis.Database] and [Postgres.Database].
//
// A test that kills or pauses a server starts its own:
//
//	kafka, err := neighbour.StartKafka(ctx)
//	…
//	defer kafka.Close()
//	kafka.Kill()           // SIGKILL, with all its children
//	err = kafka.Start(ctx) // the same port, the same data
//
// [Process] does the same for any other program, such as the binaries under test.
package neighbour
