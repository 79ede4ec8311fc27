// Package console is weir's web console and its API: pages that a browser shows
// without a request to anywhere else, and the same facts as JSON. It reads
// through [Data] and writes nothing but acknowledgements.
//
// # Pages
//
//	/                  what the sensor does, what needs a person, what was seen and not seen
//	/alerts            alerts, filtered; renews itself
//	/alerts/ID         one alert: who, what, when, why, what to do, evidence, acknowledgement
//	/incidents, /ID    alerts that belong together, in order
//	/assets, /IP       hosts: identity, roles, links, points, product notes
//	/links             who talks to whom, as a picture and a table
//	/trends            values of points over time, with their expected range and alerts
//	/catalogue         every kind of alert and every rule
//	/about             version, licences, keys
//	/healthz           "ok", or 503 when the store cannot be read
//	/evidence/NAME     preserved packets, if [Options.Evidence] is set
//
// Pages are whole without scripts; scripts renew what is live, apply filters
// without a new page, and draw charts.
//
// # API
//
// Everything is under /api/v1/ and answers with JSON. Times are RFC 3339 in UTC
// and are packet time, except that of an acknowledgement. A wrong question is
// answered with status 400 or 404, a failure with 500, each with
//
//	{"error": "host: \"plc1\" is not an IP address"}
//
// Lists take limit (1 to 1000, otherwise 100) and offset, and tell the total.
// Fields may be added; none is renamed or removed under /api/v1/.
//
//	GET  status                       mode, live, stale, ended, warnings, since, until, clock, unseen, alerts by severity: open, unacknowledged, total
//	GET  counters                     the newest counters; loss marks what was not seen or not kept
//	GET  counters/NAME/samples        a counter over time: from, to, n as for samples
//	GET  alerts                       {"total", "offset", "alerts": [{"alert": the alert line, "acknowledgements": [...]}]}
//	GET  alerts.csv                   the same as a file, at most 100,000 lines
//	GET  alerts/ID                    one of them
//	POST alerts/ID/acknowledgements   {"by": "name", "note": "..."} as application/json; answers 201
//	GET  incidents, incidents/ID      id, severity, title, start, end, alerts, open
//	GET  assets, assets/IP            q: text in address, name, vendor, product, role or MAC
//	GET  links                        q: text in an address, protocol, function or effect
//	GET  series, series/ID            q: text in device, name, kind or index; device: an address
//	GET  series/ID/samples            from, to (otherwise the newest), n: at most so many samples (1 to 10000, otherwise 600)
//	GET  series/ID/samples.csv        the same as a file, at most 200,000 lines
//	GET  kinds                        the catalogue of alerts
//
// The alert line is the one that weir writes everywhere, see
// [detect.Alert.AppendJSON]. Alerts are selected by
//
//	severity   the lowest wanted: info, low, medium, high, critical
//	state      any (the API's default), open (the page's default), unacknowledged, cleared
//	kind       a kind's name, or the start of names if it ends in a dot: "scan."
//	host       the client's or server's address
//	incident   the incident's ID
//	q          text in title, explanation, kind, rule and names
//	from, to   what the alert's start to end must touch
//	order      newest (the default) or oldest
//
// Samples are columns of equal length, as a chart or a data frame takes them:
//
//	{"time": [1773482400, ...], "min": [...], "max": [...], "mean": [...], "last": [...], "count": [...],
//	 "low": [...], "high": [...], "score": [...]}
//
// time is in seconds since the Unix epoch. Where more values were kept than were
// asked for, a sample stands for count of them. low, high and score are the
// expected range and the surprise, null where nothing was judged.
//
// # Security
//
// The console listens on this machine only unless it is told otherwise. A
// request must name a host that is known to be this one ([Options.Hosts]), so
// that no page can reach it by a name of its own; what changes something must
// come from the console's own pages ([net/http.CrossOriginProtection]) or carry
// a JSON body; [Options.Token] guards all of it. Pages may load and run nothing
// but the console's files, and what comes from the wire is escaped. Requests,
// bodies, answers, connections and time are bounded.
package console
