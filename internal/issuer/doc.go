// Package issuer makes certificate authorities for devices, and certificates of devices, and keeps them in files.
package issuer
