package neighbour

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// kafkaProject is the file that pins the versions of Kafka and Keycloak, relative to the repository's root.
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
func kafkaLibraries() (string, error) { return installed("kafka", "the jars of Apache Kafka") }

// keycloakHome is the folder into which test/deps/install puts Keycloak, ready to start.
func keycloakHome() (string, error) { return installed("keycloak", "Keycloak") }

// installed is the folder of a program that comes from Maven Central.
func installed(program, what string) (string, error) {
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	version, err := pinnedVersion(filepath.Join(root, kafkaProject), program)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(root, "build", program, version)
	if _, err := os.Stat(folder); err != nil {
		return "", fmt.Errorf("%s %s: %w", what, version, ErrNotInstalled)
	}
	return folder, nil
}

// pinnedVersion reads the property that holds a program's version.
func pinnedVersion(project, program string) (string, error) {
	text, err := os.ReadFile(project)
	if err != nil {
		return "", err
	}
	var pom struct {
		Properties struct {
			All []struct {
				XMLName xml.Name
				Value   string `xml:",chardata"`
			} `xml:",any"`
		} `xml:"properties"`
	}
	if err := xml.Unmarshal(text, &pom); err != nil {
		return "", fmt.Errorf("reading %s: %w", project, err)
	}
	for _, property := range pom.Properties.All {
		if version := strings.TrimSpace(property.Value); property.XMLName.Local == program+".version" && version != "" {
			return version, nil
		}
	}
	return "", fmt.Errorf("%s has no property %s.version", project, program)
}
