package kube

import (
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// account is where a pod finds the token of its service account.
const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

// A Config says where the API server is and who asks.
type Config struct {
	URL       string        `doc:"URL of the API server; empty in a pod, which is told by Kubernetes"`
	TokenFile string        `doc:"file with the token of a service account, read again when it changes; empty sends none"`
	CAFile    string        `doc:"file with the certificates that the API server's comes from, in PEM; empty takes the system's"`
	Namespace string        `doc:"namespace of the objects; empty takes that of the pod"`
	Timeout   time.Duration `doc:"longest duration of one request to the API server"`
}

// DefaultConfig is that of a pod.
func DefaultConfig() Config {
	return Config{TokenFile: account + "token", CAFile: account + "ca.crt", Timeout: 10 * time.Second}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case c.URL != "" && (err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == ""):
		return errors.New("url: must be a URL such as https://10.0.0.1:6443")
	case c.Namespace != "" && !isLabel(c.Namespace):
		return errors.New("namespace: must have 1 to 63 lower-case letters, digits and hyphens")
	case c.Timeout < 100*time.Millisecond || c.Timeout > 25*time.Second:
		return errors.New("timeout: must lie between 100ms and 25s")
	}
	return nil
}

// isLabel tells whether a text is a label of RFC 1123, as names of namespaces are.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || strings.HasPrefix(s, "-") || strings.HasSuffix(s, "-") {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// server is the address of the API server without a slash at its end.
func (c *Config) server() (string, error) {
	if c.URL != "" {
		return strings.TrimRight(c.URL, "/"), nil
	}
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return "", errors.New("url: is missing, and this process is not in a pod")
	}
	return "https://" + net.JoinHostPort(host, port), nil
}

// namespace is where the objects are.
func (c *Config) namespace() (string, error) {
	if c.Namespace != "" {
		return c.Namespace, nil
	}
	text, err := os.ReadFile(account + "namespace")
	if err != nil {
		return "", errors.New("namespace: is missing, and this process is not in a pod")
	}
	return strings.TrimSpace(string(text)), nil
}
