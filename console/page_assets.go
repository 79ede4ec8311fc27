package console

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

type assetsView struct {
	Text   string
	Assets []detect.Asset
	Pager  pager
	Wrong  string
	New    int
}

func (c *console) assets(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query()
	f := c.fields(form)
	text, offset := f.text("q"), f.whole("offset", 0, 0, 1<<30)
	v := assetsView{Text: form.Get("q")}
	if f.err != nil {
		v.Wrong = f.err.Error()
		text = ""
	}
	all, err := c.data.Assets(r.Context())
	if err != nil {
		c.broken(w, r, "read the assets", err)
		return
	}
	for i := range all {
		if !all[i].Known {
			v.New++
		}
	}
	found := filterAssets(all, text)
	v.Assets = cut(found, offset, pageSize)
	v.Pager = paged("/assets", form, offset, len(v.Assets), len(found))
	c.show(w, r, "assets", page{Title: "Assets", Nav: "assets", Live: true, Slow: 3, Body: v})
}

// cut gives one page of a list.
func cut[T any](list []T, offset, limit int) []T {
	offset = min(offset, len(list))
	return list[offset:min(offset+limit, len(list))]
}

// filterAssets gives the assets that hold text somewhere, without regard to
// case.
func filterAssets(all []detect.Asset, text string) []detect.Asset {
	if text == "" {
		return all
	}
	text = strings.ToLower(text)
	var out []detect.Asset
	for i := range all {
		a := &all[i]
		words := append([]string{address(a.IP), a.Vendor, a.Product, a.Model, a.Version, a.Name}, a.Roles...)
		for _, m := range a.MACs {
			words = append(words, mac(m))
		}
		if strings.Contains(strings.ToLower(strings.Join(words, "\n")), text) {
			out = append(out, *a)
		}
	}
	return out
}

type assetView struct {
	detect.Asset
	IP         string
	Identity   []fact
	AsClient   []linkView
	AsServer   []linkView
	Alerts     []detect.KeptAlert
	AlertTotal int
	Series     []detect.KeptSeries
	SeriesMore int
	Notes      []Note
	Clock      int64
}

// fact is a line of a list of properties.
type fact struct{ Name, Value string }

// assetAlerts and assetSeries are how many an asset's page shows.
const assetAlerts, assetSeries = 10, 50

func (c *console) asset(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	ip, err := netip.ParseAddr(r.PathValue("ip"))
	if err != nil {
		c.fail(w, r, http.StatusNotFound, "that is not an IP address")
		return
	}
	all, err := c.data.Assets(ctx)
	if err != nil {
		c.broken(w, r, "read the assets", err)
		return
	}
	a, ok := findAsset(all, ip)
	if !ok {
		c.fail(w, r, http.StatusNotFound, "no host with that address has been seen")
		return
	}
	v := assetView{Asset: a, IP: address(a.IP), Identity: identity(&a)}
	links, err := c.data.Links(ctx)
	if err != nil {
		c.broken(w, r, "read the links", err)
		return
	}
	var asks, answers []detect.Link
	for _, l := range links {
		if l.Client == a.IP {
			asks = append(asks, l)
		}
		if l.Server == a.IP {
			answers = append(answers, l)
		}
	}
	v.AsClient, v.AsServer = nameLinks(cut(asks, 0, pageSize), all), nameLinks(cut(answers, 0, pageSize), all)
	if v.Alerts, v.AlertTotal, err = c.data.Alerts(ctx, detect.AlertQuery{Host: a.IP, Limit: assetAlerts}); err != nil {
		c.broken(w, r, "read the alerts", err)
		return
	}
	var total int
	if v.Series, total, err = c.data.Series(ctx, detect.SeriesQuery{Device: a.IP, Limit: assetSeries}); err != nil {
		c.broken(w, r, "read the series", err)
		return
	}
	v.SeriesMore = total - len(v.Series)
	if c.Notes != nil {
		v.Notes = c.Notes(a)
	}
	title := v.IP
	if a.Name != "" {
		title = a.Name + " · " + v.IP
	}
	c.show(w, r, "asset", page{Title: title, Nav: "assets", Body: v})
}

func findAsset(all []detect.Asset, ip netip.Addr) (detect.Asset, bool) {
	i := slices.IndexFunc(all, func(a detect.Asset) bool { return a.IP == ip.Unmap() })
	if i < 0 {
		return detect.Asset{}, false
	}
	return all[i], true
}

// identity lists what a host said of itself.
func identity(a *detect.Asset) []fact {
	var out []fact
	for _, f := range []fact{{"Name", a.Name}, {"Vendor", a.Vendor}, {"Product", a.Product}, {"Model", a.Model}, {"Version", a.Version}} {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	return out
}

// roleTitles are the titles of an alert's two sides.
func roleTitles(a *detect.KeptAlert) (client, server string) {
	switch a.Proto {
	case protocols.ProtoModbus:
		return "Client", "Server"
	case protocols.ProtoDNP3:
		return "Master", "Outstation"
	default:
		return "From", "To"
	}
}

// unitList writes the units behind a host in runs: "1–4, 7".
func unitList(units []uint16) string {
	var b strings.Builder
	for i := 0; i < len(units); {
		j := i
		for j+1 < len(units) && units[j+1] == units[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(int(units[i])))
		if j > i {
			b.WriteString("–" + strconv.Itoa(int(units[j])))
		}
		i = j + 1
	}
	return b.String()
}
