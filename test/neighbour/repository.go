package neighbour

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// kafkaProject is the file that pins Kafka's version, relative to the repository's root.
const kafkaProject = "test/deps/pom.xml"

// repositoryRoot finds the repository from the working directory, which `go test` sets to the folder of the package under test.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, kafkaProject)); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not inside the repository: no folder above has " + kafkaProject)
		}
		dir = parent
	}
}

// kafkaLibraries is the folder into which test/deps/install puts Kafka's jars.
func kafkaLibraries() (string, error) {
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	version, err := kafkaVersion(filepath.Join(root, kafkaProject))
	if err != nil {
		return "", err
	}
	libraries := filepath.Join(root, "build", "kafka", version)
	if _, err := os.Stat(libraries); err != nil {
		return "", fmt.Errorf("the jars of Apache Kafka %s are %w", version, ErrNotInstalled)
	}
	return libraries, nil
}

func kafkaVersion(project string) (string, error) {
	text, err := os.ReadFile(project)
	if err != nil {
		return "", err
	}
	var pom struct {
		Version string `xml:"properties>kafka.version"`
	}
	if err := xml.Unmarshal(text, &pom); err != nil {
		return "", fmt.Errorf("reading %s: %w", project, err)
	}
	version := strings.TrimSpace(pom.Version)
	if version == "" {
		return "", fmt.Errorf("%s has no property kafka.version", project)
	}
	return version, nil
}
