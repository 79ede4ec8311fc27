package console

import (
	"net/url"
	"strconv"
)

// pager is where a page stands in a long list.
type pager struct {
	// First and Last are 1-based; Total is how many there are.
	First, Last, Total int
	// Newer and Older are addresses, empty at the ends.
	Newer, Older string
}

func paged(path string, q url.Values, offset, shown, total int) pager {
	p := pager{First: offset + 1, Last: offset + shown, Total: total}
	if shown == 0 {
		p.First = 0
	}
	at := func(offset int) string {
		v := url.Values{}
		for k, s := range q {
			v[k] = s
		}
		v.Del("offset")
		if offset > 0 {
			v.Set("offset", strconv.Itoa(offset))
		}
		if len(v) == 0 {
			return path
		}
		return path + "?" + v.Encode()
	}
	if offset > 0 {
		p.Newer = at(max(0, offset-pageSize))
	}
	if offset+shown < total && shown > 0 {
		p.Older = at(offset + shown)
	}
	return p
}
