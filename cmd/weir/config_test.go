package main

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestPartOfAConfigurationLeavesTheRestAtItsDefaults(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "detect:\n  max-links: 7\n", "detect:\n", "influxdb: {url: 'http://x', bucket: b}\n", "console: {listen: ''}\n", "workers:\n"} {
		c, err := parseConfig("x.yaml", []byte(text), defaultConfig())
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		want := defaultConfig()
		if strings.Contains(text, "max-links") {
			want.Detect.MaxLinks = 7
		}
		if strings.Contains(text, "console") {
			want.Console.Listen = ""
		}
		if strings.Contains(text, "influxdb") {
			want.InfluxDB.URL, want.InfluxDB.Bucket = "http://x", "b"
		}
		c.places = places{} // they are the text's
		if !reflect.DeepEqual(c, want) {
			t.Errorf("%q gave\n%+v\nwant\n%+v", text, c, want)
		}
	}
}

func TestTheShippedConfigurationHoldsAndExplainsEveryKey(t *testing.T) {
	text := string(exampleConfig)
	for _, k := range keys(reflect.TypeFor[config]()) {
		re := regexp.MustCompile(`(?m)^( *)` + regexp.QuoteMeta(k) + `:`)
		at := re.FindStringIndex(text)
		if at == nil {
			t.Errorf("weir.yaml does not hold %q", k)
			continue
		}
	}
	// Every option has a comment above it, or above the one it stands with.
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if i == 0 || !regexp.MustCompile(`^ *[a-z-]+: \S`).MatchString(l) {
			continue
		}
		j := i - 1
		for j >= 0 && regexp.MustCompile(`^ *[a-z-]+: \S`).MatchString(lines[j]) {
			j--
		}
		if !strings.HasPrefix(strings.TrimSpace(lines[j]), "#") {
			t.Errorf("weir.yaml:%d: no comment explains %q", i+1, strings.TrimSpace(l))
		}
	}
}

func TestATypingMistakeFindsTheNearestKey(t *testing.T) {
	all := keys(reflect.TypeFor[config]())
	for word, want := range map[string]string{"intreface": "interfaces", "basline": "baseline", "worker": "workers", "zzzz": ""} {
		if got := nearest(word, all); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(exampleConfig)
	f.Add([]byte("capture: {interfaces: [a, b]}\nlearn: {duration: 7d}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig("x.yaml", data, defaultConfig())
		if (c == nil) == (err == nil) {
			t.Fatalf("configuration %v and error %v", c, err)
		}
	})
}
