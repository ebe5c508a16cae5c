package tools

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Java returns the path of java, which has a compiler and so runs a source file,
// and the class path of the dependencies of pom, a file that names exact versions.
// They are copied once for each content of the file, into the user's cache directory.
func Java(t testing.TB, pom string) (java, classPath string) {
	t.Helper()
	text, err := os.ReadFile(pom)
	if err != nil {
		t.Fatalf("pom: %v", err)
	}
	_, errCompiler := exec.LookPath("javac")
	java, err = exec.LookPath("java")
	if errors.Join(err, errCompiler) != nil {
		missing(t, "no JDK is installed")
	}
	jars := kit{
		name:  "java",
		spec:  string(text),
		fill:  func(dir string) error { return mavenCopy(dir, text) },
		check: func(dir string) error { return checkJars(dir, text) },
	}
	return java, filepath.Join(jars.home(t), "*")
}

func mavenCopy(dir string, pom []byte) error {
	maven, err := exec.LookPath("mvn")
	if err != nil {
		return errors.New("maven is not installed")
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), pom, 0o644); err != nil {
		return err
	}
	return run(dir, maven, "--quiet", "--batch-mode", "dependency:copy-dependencies",
		"-DoutputDirectory="+dir, "-DincludeScope=runtime")
}

// checkJars tells whether dir holds the dependencies that the pom names itself.
func checkJars(dir string, pom []byte) error {
	var project struct {
		Dependencies []struct {
			ArtifactID string `xml:"artifactId"`
			Version    string `xml:"version"`
		} `xml:"dependencies>dependency"`
	}
	if err := xml.Unmarshal(pom, &project); err != nil {
		return fmt.Errorf("pom: %w", err)
	}
	for _, d := range project.Dependencies {
		if _, err := os.Stat(filepath.Join(dir, d.ArtifactID+"-"+d.Version+".jar")); err != nil {
			return err
		}
	}
	return nil
}
