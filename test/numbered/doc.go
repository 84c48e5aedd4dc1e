// Package numbered finds out whether messages were kept as promised.
//
// Every message of a device carries a number. A [Checker] notes what the sender was told about each number; [ReadTopic]
// reads what Kafka has in the end; [Checker.Verify] compares the two. The promises are:
//
//   - an acknowledged number is stored;
//   - a refused number is not;
//   - per device, the first occurrences are in the order of the numbers, and lie in one partition;
//   - a number is stored at most as often as it was sent;
//   - nothing else is stored.
//
// A number whose sender got no decision, because the answer was 503 or never came, may be stored or not.
package numbered
