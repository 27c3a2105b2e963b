package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// testResults is a file that Bitbucket looks into after a step.
func (d *deployment) testResults(dir string) string {
	name := "ostro"
	for _, part := range []string{d.c.String("env"), d.firstJob()} {
		if part != "" {
			name += "-" + notInNames.ReplaceAllString(part, "-")
		}
	}
	return filepath.Join(dir, "test-results", name+".xml")
}

func (d *deployment) firstJob() string {
	if len(d.report.jobs) == 0 {
		return ""
	}
	return d.report.jobs[0].Job
}

// JUnit's XML, as far as CI systems read it.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitProblem `xml:"failure,omitempty"`
		Error   *junitProblem `xml:"error,omitempty"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

func (d *deployment) writeJUnit(path string, outcome error) error {
	suite := junitSuite{Name: strings.TrimSpace("ostro deploy " + d.c.String("env")), Time: fmt.Sprintf("%.3f", time.Since(d.start).Seconds())}
	told := false
	for _, r := range d.report.jobs {
		c := junitCase{Class: strings.TrimSuffix("ostro."+d.c.String("env"), "."), Name: "deploy " + r.Job, Time: fmt.Sprintf("%.3f", r.SubmitSeconds+r.WatchSeconds)}
		switch {
		case r.ExitCode == codeOK:
		case r.Version == nil:
			c.Error = &junitProblem{r.Summary, r.Outcome, r.details()}
			suite.Errors++
		default:
			c.Failure = &junitProblem{r.Summary, r.Outcome, r.details()}
			suite.Failures++
		}
		told = told || r.ExitCode != codeOK
		suite.Cases = append(suite.Cases, c)
	}
	if outcome != nil && !told {
		suite.Cases = append(suite.Cases, junitCase{Class: "ostro", Name: "deploy", Time: suite.Time, Error: &junitProblem{outcome.Error(), "error", ""}})
		suite.Errors++
	}
	suite.Tests = len(suite.Cases)
	for _, c := range suite.Cases {
		for _, problem := range []*junitProblem{c.Failure, c.Error} {
			if problem != nil { // masked before it is escaped: then a secret is another text
				problem.Message, problem.Text = d.t.redactor.String(problem.Message), d.t.redactor.String(problem.Text)
			}
		}
	}
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err != nil {
		return fmt.Errorf("write the test results: %w", err)
	}
	return d.writeMasked(path, append([]byte(xml.Header), append(text, '\n')...))
}
