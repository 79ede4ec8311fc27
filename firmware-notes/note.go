package notes

import (
	"net/netip"
	"strings"

	"github.com/weir-ics/weir/detect"
)

// Note is what is known about one product or product family.
type Note struct {
	// ID is the file's name without ".md"; it is unique.
	ID string `yaml:"-"`
	// File is where it was read from.
	File string `yaml:"-"`
	// Vendor and Product name it for people.
	Vendor  string `yaml:"vendor"`
	Product string `yaml:"product"`
	// Match says how to know it; any one of the signs is enough.
	Match []Sign `yaml:"match"`
	// Advisories are what is known to be wrong with it.
	Advisories []Advisory `yaml:"advisories"`
	// Sources are where the text comes from.
	Sources []string `yaml:"sources"`
	// Reviewed is the day, as 2006-01-02, on which a person last checked it.
	Reviewed string `yaml:"reviewed"`
	// Body is the text, Markdown.
	Body string `yaml:"-"`
}

// Sign is a set of properties that must all hold. Patterns are compared without
// regard to case; an asterisk stands for anything.
type Sign struct {
	Vendor  string `yaml:"vendor"`
	Product string `yaml:"product"`
	Model   string `yaml:"model"`
	// MAC is the start of a MAC address: "00:80:f4".
	MAC string `yaml:"mac"`
	// Role is a role the asset must play: "modbus server".
	Role string `yaml:"role"`
}

// Advisory is one published weakness.
type Advisory struct {
	// ID is the CVE or advisory number.
	ID string `yaml:"id"`
	// Title says in a sentence what it allows.
	Title string `yaml:"title"`
	// Below is the first version that is not affected; empty if no version is
	// known to be free of it.
	Below string `yaml:"below"`
	// Models narrows Below to models that match one of the patterns.
	Models []string `yaml:"models"`
	// Source is where it is published.
	Source string `yaml:"source"`
}

// Exposure is what weir can say of an advisory and an asset.
type Exposure uint8

const (
	// Unclear means that the asset's version or model is not known.
	Unclear Exposure = iota
	// Affected means that the version it told is below the first free one, or
	// that no version is free.
	Affected
	// NotAffected means that the version it told is not affected.
	NotAffected
)

func (e Exposure) String() string { return [...]string{"unclear", "affected", "not affected"}[e] }

// Match is a note that fits an asset.
type Match struct {
	Note  *Note
	Asset netip.Addr
	// Because says which property matched: "vendor and product", "MAC prefix".
	Because string
	// Certain tells a device that named itself from one known by its MAC
	// prefix only, which names the maker of the network interface.
	Certain bool
	// Exposures go with Note.Advisories.
	Exposures []Exposure
}

// Match returns the notes that fit an asset, in the order of their ids.
func (l *Library) Match(a *detect.Asset) []Match {
	var out []Match
	for _, n := range l.notes {
		if m, ok := n.match(a); ok {
			out = append(out, m)
		}
	}
	return out
}

func (n *Note) match(a *detect.Asset) (Match, bool) {
	best := Match{Note: n, Asset: a.IP}
	found := false
	for i := range n.Match {
		because, certain, ok := n.Match[i].fits(a)
		if ok && (!found || certain && !best.Certain) {
			best.Because, best.Certain, found = because, certain, true
		}
	}
	if !found {
		return best, false
	}
	for i := range n.Advisories {
		best.Exposures = append(best.Exposures, n.Advisories[i].exposure(a))
	}
	return best, true
}

func (s *Sign) fits(a *detect.Asset) (because string, certain, ok bool) {
	var parts []string
	for _, p := range []struct{ name, pattern, value string }{
		{"vendor", s.Vendor, a.Vendor}, {"product", s.Product, a.Product}, {"model", s.Model, a.Model},
	} {
		if p.pattern == "" {
			continue
		}
		if !glob(p.pattern, p.value) {
			return "", false, false
		}
		parts, certain = append(parts, p.name), true
	}
	if s.MAC != "" {
		if !hasMAC(a, s.MAC) {
			return "", false, false
		}
		parts = append(parts, "MAC prefix")
	}
	if s.Role != "" {
		if !hasRole(a, s.Role) {
			return "", false, false
		}
		parts = append(parts, "role")
	}
	return strings.Join(parts, " and "), certain, len(parts) > 0
}

func hasRole(a *detect.Asset, role string) bool {
	for _, r := range a.Roles {
		if strings.EqualFold(r, role) {
			return true
		}
	}
	return false
}

func hasMAC(a *detect.Asset, prefix string) bool {
	for _, m := range a.MACs {
		if strings.HasPrefix(macString(m), strings.ToLower(prefix)) {
			return true
		}
	}
	return false
}

func macString(m [6]byte) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, 17)
	for i, x := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, hex[x>>4], hex[x&15])
	}
	return string(b)
}

func (v *Advisory) exposure(a *detect.Asset) Exposure {
	if len(v.Models) > 0 {
		if a.Model == "" && a.Product == "" {
			return Unclear
		}
		fits := false
		for _, m := range v.Models {
			fits = fits || glob(m, a.Model) || glob(m, a.Product)
		}
		if !fits {
			return NotAffected
		}
	}
	if v.Below == "" {
		return Affected
	}
	order, ok := compareVersions(a.Version, v.Below)
	switch {
	case !ok:
		return Unclear
	case order < 0:
		return Affected
	}
	return NotAffected
}
