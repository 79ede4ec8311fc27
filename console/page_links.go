package console

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/weir-ics/weir/detect"
)

type linksView struct {
	Text  string
	Links []linkView
	Pager pager
	Map   linkMap
	Wrong string
}

func (c *console) links(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query()
	f := c.fields(form)
	text, offset := f.text("q"), f.whole("offset", 0, 0, 1<<30)
	v := linksView{Text: form.Get("q")}
	if f.err != nil {
		v.Wrong = f.err.Error()
		text = ""
	}
	all, err := c.data.Links(r.Context())
	if err != nil {
		c.broken(w, r, "read the links", err)
		return
	}
	assets, err := c.data.Assets(r.Context())
	if err != nil {
		c.broken(w, r, "read the assets", err)
		return
	}
	open, _, err := c.data.Alerts(r.Context(), detect.AlertQuery{Open: true, Limit: maxLimit})
	if err != nil {
		c.broken(w, r, "read the open alerts", err)
		return
	}
	found := filterLinks(all, text)
	v.Links = nameLinks(cut(found, offset, pageSize), assets)
	v.Pager = paged("/links", form, offset, len(v.Links), len(found))
	v.Map = drawLinks(found, assets, open)
	c.show(w, r, "links", page{Title: "Links", Nav: "links", Live: true, Slow: 6, Body: v})
}

// linkView is a link with the names of its hosts, as far as they have any.
type linkView struct {
	detect.Link
	ClientName, ServerName string
}

func nameLinks(links []detect.Link, assets []detect.Asset) []linkView {
	names := make(map[netip.Addr]string, len(assets))
	for i := range assets {
		names[assets[i].IP] = assets[i].Name
	}
	out := make([]linkView, len(links))
	for i, l := range links {
		out[i] = linkView{l, names[l.Client], names[l.Server]}
	}
	return out
}

// filterLinks gives the links that hold text in an address, the protocol or a
// function's name, without regard to case.
func filterLinks(all []detect.Link, text string) []detect.Link {
	if text == "" {
		return all
	}
	text = strings.ToLower(text)
	var out []detect.Link
	for i := range all {
		l := &all[i]
		words := []string{address(l.Client), address(l.Server), l.Proto.String()}
		for _, f := range l.Functions {
			words = append(words, f.Name, f.Effect.String())
		}
		if strings.Contains(strings.ToLower(strings.Join(words, "\n")), text) {
			out = append(out, *l)
		}
	}
	return out
}
