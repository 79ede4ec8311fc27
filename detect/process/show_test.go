package process

import (
	"regexp"
	"strings"
	"testing"
)

// What is never reached is not a number for people to read.
func TestShownLimitsAreThoseThatJudge(t *testing.T) {
	var out strings.Builder
	if err := Show(&out, savedOf(t, watching(t))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`(?m)^  inflow to within [0-9.]+ by `, `(?m)^  pump(, not judged,| to within [0-9.]+ over [38] rows) by `} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "e+0") || strings.Contains(out.String(), "0000000") {
		t.Errorf("a limit that is none is shown:\n%s", &out)
	}
}
