// Package pace spreads work over time that costs much and that many want at once, such as log-ins, for the sake of what has to go on
// beside it. It gives so many turns a second, and fewer while the process is late: when there are not cores enough, whoever has no
// turn yet waits, and not who has been there before.
package pace
