package console

import (
	"net/http"

	"github.com/weir-ics/weir/detect"
)

type catalogueView struct {
	Kinds []kindView
	Rules []ruleView
}

type kindView struct {
	*detect.Kind
	Techniques []Technique
}

type ruleView struct {
	Rule
	Techniques []Technique
}

func (c *console) catalogue(w http.ResponseWriter, r *http.Request) {
	var v catalogueView
	for _, k := range c.Kinds {
		v.Kinds = append(v.Kinds, kindView{k, named(k.Techniques)})
	}
	for _, rule := range c.Rules {
		v.Rules = append(v.Rules, ruleView{rule, named(rule.Techniques)})
	}
	c.show(w, r, "catalogue", page{Title: "Catalogue", Nav: "catalogue", Body: v})
}

func (c *console) about(w http.ResponseWriter, r *http.Request) {
	c.show(w, r, "about", page{Title: "About", Nav: "about"})
}
