// Package registryfile reads applications and devices from files and keeps the registry's store as the files say, so
// that a laptop has a registry without a management API: edit a file, and the change takes effect within a second or two.
//
// A file holds YAML or JSON documents of kind Application or Device in the form of the registry:
//
//	kind: Device
//	metadata:
//	  application: example-app
//	  name: device1
//	spec:
//	  authentication:
//	    credentials:
//	      - pass: hey-rodney
package registryfile
