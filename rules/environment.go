package rules

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"github.com/weir-ics/weir/protocols"
)

// Environment is what an expression can ask about a message. docs/rules.md
// lists the names.
type Environment struct {
	Function    int      `expr:"function"`
	Sub         int      `expr:"sub"`
	Name        string   `expr:"name"`
	Role        string   `expr:"role"`
	Effect      string   `expr:"effect"`
	Client      string   `expr:"client"`
	Server      string   `expr:"server"`
	ClientPort  int      `expr:"client_port"`
	ServerPort  int      `expr:"server_port"`
	Unit        int      `expr:"unit"`
	Source      int      `expr:"source"`
	Destination int      `expr:"destination"`
	Broadcast   bool     `expr:"broadcast"`
	Exception   int      `expr:"exception"`
	IIN         int      `expr:"iin"`
	Size        int      `expr:"size"`
	Violations  []string `expr:"violations"`
	Files       []File   `expr:"files"`
	Points      []Point  `expr:"points"`
	Ranges      []Range  `expr:"ranges"`
}

// Point is a value as an expression sees it.
type Point struct {
	Kind   string  `expr:"kind"`
	Access string  `expr:"access"`
	Index  int     `expr:"index"`
	Value  float64 `expr:"value"`
}

// File is a file as an expression sees it.
type File struct {
	Name   string `expr:"name"`
	Access string `expr:"access"`
}

// Range is a run of addresses as an expression sees it.
type Range struct {
	Kind   string `expr:"kind"`
	Access string `expr:"access"`
	First  int    `expr:"first"`
	Count  int    `expr:"count"`
}

func (env *Environment) fill(e *protocols.Event) {
	client, server := e.Client(), e.Server()
	env.Function, env.Sub, env.Name = int(e.Function), int(e.Sub), e.Name
	env.Role, env.Effect = e.Role.String(), e.Effect.String()
	env.Client, env.Server = client.IP.String(), server.IP.String()
	env.ClientPort, env.ServerPort = int(client.Port), int(server.Port)
	env.Unit, env.Source, env.Destination = int(e.Unit), int(e.Source), int(e.Destination)
	env.Broadcast, env.Exception, env.IIN, env.Size = e.Broadcast, int(e.Exception), int(e.IIN), e.Size
	env.Violations, env.Files = env.Violations[:0], env.Files[:0]
	env.Points, env.Ranges = env.Points[:0], env.Ranges[:0]
	for i := range e.Violations {
		env.Violations = append(env.Violations, e.Violations[i].Kind.Name)
	}
	for i := range e.Files {
		env.Files = append(env.Files, File{string(e.Files[i].Name), e.Files[i].Access.String()})
	}
	for i := range e.Points {
		p := &e.Points[i]
		env.Points = append(env.Points, Point{p.Kind.String(), p.Access.String(), int(p.Index), p.Value})
	}
	for i := range e.Ranges {
		r := &e.Ranges[i]
		env.Ranges = append(env.Ranges, Range{r.Kind.String(), r.Access.String(), int(r.First), int(r.Count)})
	}
}

// compile checks and compiles an expression. An expression may call
// in_network(address, "10.0.0.0/8") beside what the expr language has.
func compile(source string) (*vm.Program, error) {
	return expr.Compile(source, expr.Env(Environment{}), expr.AsBool(), expr.DisableBuiltin("now"),
		expr.Function("in_network", inNetwork, new(func(string, string) bool)), expr.Timezone("UTC"))
}

func inNetwork(params ...any) (any, error) {
	prefix, err := netip.ParsePrefix(params[1].(string))
	if err != nil {
		return false, fmt.Errorf("in_network: %w", err)
	}
	a, err := netip.ParseAddr(params[0].(string))
	return err == nil && prefix.Contains(a), nil
}

// Names lists what an expression can ask, for docs and completion.
func Names() []string {
	t := reflect.TypeFor[Environment]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = strings.Split(t.Field(i).Tag.Get("expr"), ",")[0]
	}
	return names
}
