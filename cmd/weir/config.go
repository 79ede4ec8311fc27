package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"
)

// exampleConfig is weir.yaml with every option, its default and what it does.
// It is the manual; config_test checks that it holds every key and the
// defaults.
//
//go:embed weir.yaml
var exampleConfig []byte

// config is weir.yaml.
type config struct {
	Sensor string `yaml:"sensor"`

	Capture struct {
		Interfaces  []string `yaml:"interfaces"`
		Filter      string   `yaml:"filter"`
		Promiscuous bool     `yaml:"promiscuous"`
		Buffer      size     `yaml:"buffer"`
		Rings       int      `yaml:"rings"`
	} `yaml:"capture"`
	Workers int `yaml:"workers"`

	Learn struct {
		Duration duration `yaml:"duration"`
		Auto     bool     `yaml:"auto"`
		Baseline string   `yaml:"baseline"`
	} `yaml:"learn"`
	Detect struct {
		AlarmsPerDay float64  `yaml:"alarms-per-day"`
		MinSeverity  severity `yaml:"min-severity"`
		MaxLinks     int      `yaml:"max-links"`
		MaxPoints    int      `yaml:"max-points"`
		Memory       size     `yaml:"memory"`
		Process      bool     `yaml:"process"`
	} `yaml:"detect"`
	Rules struct {
		Paths   []string `yaml:"paths"`
		Disable []string `yaml:"disable"`
	} `yaml:"rules"`
	Notes struct {
		Folders []string `yaml:"folders"`
	} `yaml:"notes"`
	Tags  string            `yaml:"tags"`
	Hosts map[string]string `yaml:"hosts"`

	Store struct {
		Path    string   `yaml:"path"`
		MaxAge  duration `yaml:"max-age"`
		MaxSize size     `yaml:"max-size"`
	} `yaml:"store"`
	Alerts struct {
		File    string `yaml:"file"`
		MaxSize size   `yaml:"max-size"`
		Keep    int    `yaml:"keep"`
	} `yaml:"alerts"`
	Syslog struct {
		Address string `yaml:"address"`
		Network string `yaml:"network"`
		Format  string `yaml:"format"`
	} `yaml:"syslog"`
	InfluxDB influxConfig `yaml:"influxdb"`
	Console  struct {
		Listen string `yaml:"listen"`
		Token  string `yaml:"token"`
	} `yaml:"console"`
	Log struct {
		Level  string `yaml:"level"`
		Format string `yaml:"format"`
	} `yaml:"log"`

	places places `yaml:"-"`
}

type influxConfig struct {
	URL       string `yaml:"url"`
	Org       string `yaml:"org"`
	Bucket    string `yaml:"bucket"`
	Token     string `yaml:"token"`
	TokenFile string `yaml:"token-file"`
	Spool     string `yaml:"spool"`
	SpoolSize size   `yaml:"spool-size"`
}

// defaultConfig is what the shipped weir.yaml says.
func defaultConfig() *config {
	c, err := parseConfig("weir.yaml", exampleConfig, &config{})
	if err != nil {
		panic("the embedded weir.yaml: " + err.Error()) // a test reads it too
	}
	c.places = places{}
	return c
}

// loadConfig reads a configuration over the defaults. An empty path gives the
// defaults, "-" reads standard input.
func loadConfig(path string) (*config, error) {
	c := defaultConfig()
	if path == "" {
		return c, nil
	}
	var data []byte
	var err error
	if path == "-" {
		data, err = io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
	} else {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, usage(fmt.Errorf("read the configuration: %w", err))
	}
	c, err = parseConfig(path, data, c)
	if err != nil {
		return nil, usage(err)
	}
	return c, nil
}

func parseConfig(path string, data []byte, into *config) (*config, error) {
	before := *into
	err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(into)
	if errors.Is(err, io.EOF) { // nothing but comments
		err = nil
	}
	if err != nil {
		return nil, locate(path, err)
	}
	keepSections(data, reflect.ValueOf(into).Elem(), reflect.ValueOf(before))
	into.places = placesOf(path, data)
	if err := into.check(); err != nil {
		return nil, err
	}
	return into, nil
}

// keepSections puts back what the decoder empties: a document, or a section,
// that holds nothing but comments leaves the defaults as they are.
func keepSections(data []byte, into, before reflect.Value) {
	var written map[string]any
	if err := yaml.Unmarshal(data, &written); err != nil || len(written) == 0 {
		into.Set(before)
		return
	}
	for i := range into.NumField() {
		key := strings.Split(into.Type().Field(i).Tag.Get("yaml"), ",")[0]
		if value, there := written[key]; there && value == nil && key != "-" {
			into.Field(i).Set(before.Field(i))
		}
	}
}

// locate turns a decoder's error into one line with file, line and column.
func locate(path string, err error) error {
	var at interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &at) || at.GetToken() == nil || at.GetToken().Position == nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	p := at.GetToken().Position
	message := at.GetMessage()
	if m := unknownField.FindStringSubmatch(message); m != nil {
		message = fmt.Sprintf("unknown key %q", m[1])
		if near := nearest(m[1], keys(reflect.TypeFor[config]())); near != "" {
			message += fmt.Sprintf(" (did you mean %q?)", near)
		}
	}
	if m := wrongKind.FindStringSubmatch(message); m != nil {
		if want := kindWords[m[1]+m[2]]; want != "" {
			message = want + " is expected here"
		}
	}
	return fmt.Errorf("read %s:%d:%d: %s", path, p.Line, p.Column, message)
}

// wrongKind is what the decoder says of a value of another type, and kindWords
// what a person would.
var wrongKind = regexp.MustCompile(`^(?:cannot unmarshal .* of type (\S+)|\S+ was used where (\S+) is expected)$`)

var kindWords = map[string]string{
	"int": "a whole number", "float64": "a number", "bool": "true or false", "string": "one word or text",
	"sequence": "a list such as [one, two]", "mapping": "a section with keys of its own",
	"[]string": "a list such as [one, two]",
}

var unknownField = regexp.MustCompile(`^unknown field "(.*)"`)

// keys lists all keys of the configuration.
func keys(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		out = append(out, strings.Split(f.Tag.Get("yaml"), ",")[0])
		if f.Type.Kind() == reflect.Struct {
			out = append(out, keys(f.Type)...)
		}
	}
	return out
}

// nearest returns the key that a typing mistake away from word, or "".
func nearest(word string, among []string) string {
	best, bestDistance := "", 3
	for _, k := range among {
		if d := distance(word, k); d < bestDistance && d < len(word)/2+1 {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is the number of letters to change, add, take away or swap with the
// next one (Damerau 1964, optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
