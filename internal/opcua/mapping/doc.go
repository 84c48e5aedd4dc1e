// Package mapping says what of an OPC UA server becomes which device, channel and command: a file that a user writes, read
// strictly (decode.go, file.go), held against what it says by itself (check.go), and resolved against the address space of a
// server (resolve.go).
//
//   - Browse paths are patterns (path.go): Objects/Line*/Press* matches many objects, and each becomes a device that is named
//     from the match (template.go).
//   - A [Plan] is what comes of a server's part of the file: devices with the items to monitor and the commands that are allowed.
//   - What is wrong is a [Finding], with file, line and path, and with the nearest name or node that there is. A node that is
//     missing does not keep the others from being monitored.
package mapping
