package runner

import (
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

// suite is JUnit's element of that name, as far as continuous integration
// systems read it.
type suite struct {
	XMLName  xml.Name `xml:"testsuite"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Time     string   `xml:"time,attr"`
	Cases    []kase   `xml:"testcase"`
}

type kase struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Time    string   `xml:"time,attr"`
	Failure *message `xml:"failure"`
	Error   *message `xml:"error"`
	Skipped *message `xml:"skipped"`
	Output  string   `xml:"system-out,omitempty"`
}

type message struct {
	Text string `xml:"message,attr"`
}

// WriteJUnit writes the results as a JUnit file, in which a test fails if it is
// not as expected: one that fails where it has to is no failure.
func WriteJUnit(w io.Writer, name string, results []Result, took time.Duration) error {
	s := suite{Name: name, Tests: len(results), Time: seconds(took)}
	for _, r := range results {
		k := kase{Class: name, Name: r.Test.Name, Time: seconds(r.Took), Output: r.Output}
		switch m := (&message{r.Difference()}); {
		case r.NotRun != "":
			s.Skipped++
			k.Skipped = &message{r.NotRun}
		case r.Err != nil:
			s.Errors++
			k.Error = m
		case m.Text != "":
			s.Failures++
			k.Failure = m
		}
		s.Cases = append(s.Cases, k)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(s); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
