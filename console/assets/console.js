// What weir's console does in the browser. Pages work without it; it keeps them
// fresh, draws the charts and adds keys.
"use strict";
(() => {
  const $ = (s, e = document) => e.querySelector(s);
  const $$ = (s, e = document) => [...e.querySelectorAll(s)];
  // The sensor's time zone, or the browser's if it does not know that one.
  const zone = (() => {
    const name = document.body.dataset.zone, own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    try { new Intl.DateTimeFormat("en", { timeZone: name }); return name || own; } catch { return own; }
  })();
  const refresh = Number(document.body.dataset.refresh) * 1000;
  const store = { // private windows may refuse it
    get: k => { try { return localStorage.getItem(k); } catch { return null; } },
    set: (k, v) => { try { localStorage.setItem(k, v); } catch { /* not remembered */ } },
  };

  // ---- fresh pages -------------------------------------------------------

  // A tab that nobody looks at asks for nothing, nor does one in which text is
  // being selected or a menu is open inside what would be replaced.
  const busy = live => {
    const sel = getSelection();
    return !sel.isCollapsed && live.contains(sel.anchorNode);
  };
  document.addEventListener("htmx:before:request", e => {
    const live = e.target;
    if (live.dataset?.live !== undefined && (document.hidden || busy(live))) e.preventDefault();
  });
  const offline = on => { $("#offline").hidden = !on; };
  document.addEventListener("htmx:error", () => offline(true));
  document.addEventListener("htmx:after:request", e => offline((e.detail.ctx?.response?.status ?? 200) >= 500));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });
  const renew = () => { const l = $("#live"); if (l && window.htmx) htmx.trigger(l, "renew"); };

  // ---- filter ------------------------------------------------------------

  const tidy = form => {
    const p = new URLSearchParams();
    for (const [k, v] of new FormData(form)) if (v !== "") p.append(k, v);
    return form.action.split("?")[0] + (p.size ? "?" + p : "");
  };
  const filter = $("form.filter");
  if (filter && $("#live")) {
    $("button[type=submit]", filter).hidden = true; // it applies itself
    let timer;
    const apply = () => {
      clearTimeout(timer);
      history.replaceState(null, "", tidy(filter));
      renew();
    };
    filter.addEventListener("submit", e => { e.preventDefault(); apply(); });
    filter.addEventListener("change", apply);
    filter.addEventListener("input", e => {
      if (e.target.type === "search" || e.target.name === "kind") {
        clearTimeout(timer);
        timer = setTimeout(apply, 300);
      }
    });
  }
  const pick = $("#pick");
  if (pick) {
    pick.addEventListener("submit", e => { e.preventDefault(); location.assign(tidy(pick)); });
    pick.addEventListener("change", e => { if (e.target.name === "s") location.assign(tidy(pick)); });
  }

  $("nav a[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // ---- small things ------------------------------------------------------

  for (const el of $$("[data-remember]")) {
    const key = "weir." + el.dataset.remember;
    if (!el.value) el.value = store.get(key) ?? "";
    el.form.addEventListener("submit", () => store.set(key, el.value));
  }
  for (const b of $$("[data-copy]")) b.addEventListener("click", async () => {
    const pre = document.getElementById(b.dataset.copy);
    try {
      await navigator.clipboard.writeText(pre.textContent);
      b.textContent = "Copied";
    } catch { // not offered over plain HTTP: leave it selected
      getSelection().selectAllChildren(pre);
      b.textContent = "Selected";
    }
  });

  let going = 0;
  const places = { o: "/", a: "/alerts", i: "/incidents", h: "/assets", l: "/links", t: "/trends" };
  document.addEventListener("keydown", e => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, textarea, select")) return;
    if (Date.now() - going < 1200 && places[e.key]) { going = 0; location.assign(places[e.key]); return; }
    going = 0;
    switch (e.key) {
      case "/": { const s = $("input[type=search]"); if (s) { e.preventDefault(); s.focus(); s.select(); } break; }
      case "g": going = Date.now(); break;
      case "j": case "k": {
        const rows = $$(".rows tbody tr, .incidents li, .timeline > li").map(r => $("a", r)).filter(Boolean);
        const at = rows.indexOf(document.activeElement);
        const next = rows[e.key === "j" ? Math.min(at + 1, rows.length - 1) : Math.max(at - 1, 0)];
        if (next) { e.preventDefault(); next.focus(); next.scrollIntoView({ block: "nearest" }); }
      }
    }
  });

  // ---- charts ------------------------------------------------------------

  if (!window.uPlot) return;
  const colour = n => getComputedStyle(document.documentElement).getPropertyValue(n).trim();
  // uPlot reads whole pixels only.
  const font = () => Math.round(0.76 * parseFloat(getComputedStyle(document.documentElement).fontSize)) + "px " + getComputedStyle(document.body).fontFamily;
  const tzDate = ts => uPlot.tzDate(new Date(ts * 1e3), zone);
  const fmt = v => v == null ? "–" : Math.abs(v) >= 1e6 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toPrecision(4) : String(+v.toPrecision(6));
  const clock = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });

  const iso = ms => encodeURIComponent(new Date(ms).toISOString());
  const get = async url => {
    const r = await fetch(url, { headers: { Accept: "application/json" } });
    if (!r.ok) throw new Error((await r.json().catch(() => ({}))).error ?? r.statusText);
    return r.json();
  };

  // A chart draws the mean of what it is given, the span from lowest to highest
  // under it where several values share a pixel, and the expected range.
  class Chart {
    constructor(fig, group) {
      this.fig = fig; this.group = group;
      this.plot = $(".plot", fig); this.note = $(".plotnote", fig);
      this.rate = fig.dataset.counter !== undefined;
      this.stepped = fig.dataset.step === "true";
      this.marks = [];
      this.readout = document.createElement("span");
      this.readout.className = "readout";
      $("figcaption", fig)?.append(this.readout);
      new ResizeObserver(() => this.u?.setSize(this.size())).observe(this.plot);
    }
    size() { return { width: Math.max(this.plot.clientWidth, 120), height: this.plot.clientHeight }; }
    async load(from, to) {
      const ask = this.asked = Symbol();
      const n = Math.min(1200, Math.max(200, this.plot.clientWidth));
      const base = this.rate ? `/api/v1/counters/${encodeURIComponent(this.fig.dataset.counter)}` : `/api/v1/series/${encodeURIComponent(this.fig.dataset.series)}`;
      try {
        const d = await get(`${base}/samples?from=${iso(from)}&to=${iso(to)}&n=${n}`);
        if (this.asked !== ask) return; // a later question is under way
        this.note.textContent = "";
        this.draw(this.rate ? rates(d) : d, from / 1e3, to / 1e3);
      } catch (e) {
        if (this.asked === ask) this.note.textContent = "No chart: " + e.message;
      }
    }
    draw(d, from, to) {
      this.from = from; this.to = to;
      const empty = d.time.length === 0;
      this.note.textContent = empty ? "No value in this stretch." : "";
      // What holds until it changes has no mean: between 0 and 1 there is nothing.
      const data = [d.time, d.low, d.high, d.min, d.max, this.stepped ? d.last : d.mean];
        if (!this.u) this.make(data); else this.u.setData(data, false);
      this.u.setScale("x", { min: from, max: to });
      this.plot.dataset.drawn = d.time.length;
    }
    make(data) {
      const paths = this.stepped ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear();
      const stroke = colour("--stroke");
      const axis = { stroke: colour("--soft"), font: font(), grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid"), width: 1, size: 4 } };
      const hidden = { stroke: "transparent", width: 0, points: { show: false }, paths };
      this.u = new uPlot({
        ...this.size(), tzDate, pxAlign: 0, legend: { show: false }, padding: [8, 10, 0, 0],
        cursor: { sync: { key: "weir" }, drag: { x: this.group.zoom, y: false, setScale: false }, points: { size: 7 }, y: false },
        scales: { x: { time: true }, y: { range: (u, lo, hi) => span(lo, hi, this) } },
        axes: [{ ...axis, values: hours, space: 76, size: 38, gap: 4 },
          { ...axis, size: 58, values: (u, v) => v.map(fmt), space: 26, ...(this.stepped && { incrs: whole }), label: this.fig.dataset.unit || undefined, labelFont: font(), labelSize: 18, labelGap: 0 }],
        series: [{}, { ...hidden }, { ...hidden }, { ...hidden }, { ...hidden },
          { stroke, width: 1.6, paths, spanGaps: true, points: { size: 4, fill: stroke, show: (u, si, i0, i1) => i1 - i0 < 60 } }],
        bands: [{ series: [2, 1], fill: colour("--band") }, { series: [4, 3], fill: colour("--band") }],
        hooks: {
          drawClear: [u => this.paintMarks(u)],
          setCursor: [u => this.read(u)],
          setSelect: [u => { if (u.select.width > 4) this.group.go(u.posToVal(u.select.left, "x") * 1e3, u.posToVal(u.select.left + u.select.width, "x") * 1e3); u.setSelect({ width: 0, height: 0 }, false); }],
        },
      }, data, this.plot);
      this.u.over.addEventListener("dblclick", () => this.group.reset?.());
      this.read(this.u);
    }
    paintMarks(u) {
      const c = u.ctx;
      c.save();
      for (const [from, to] of this.marks) {
        const x0 = Math.max(u.valToPos(from, "x", true), u.bbox.left), x1 = Math.min(u.valToPos(to, "x", true), u.bbox.left + u.bbox.width);
        if (x1 < x0) continue;
        c.fillStyle = colour("--mark");
        c.fillRect(x0, u.bbox.top, Math.max(x1 - x0, 2), u.bbox.height);
        c.fillStyle = colour("--critical");
        c.fillRect(x0, u.bbox.top, 2, u.bbox.height);
      }
      c.restore();
    }
    read(u) {
      const unit = this.fig.dataset.unit ? " " + this.fig.dataset.unit : "";
      const i = u.cursor.idx, d = u.data;
      if (i == null || d[5][i] == null) { this.readout.textContent = ""; return; }
      let s = `${clock.format(d[0][i] * 1e3)}  ${fmt(d[5][i])}${unit}`;
      if (d[3][i] !== d[4][i]) s += ` (${fmt(d[3][i])} to ${fmt(d[4][i])})`;
      if (d[1][i] != null && d[2][i] != null) s += `, expected ${fmt(d[1][i])} to ${fmt(d[2][i])}`;
      this.readout.textContent = s;
    }
    again() { // colours changed
      const { from, to } = this;
      const data = this.u?.data;
      if (!data) return;
      this.u.destroy(); this.u = null;
      this.make(data);
      this.u.setScale("x", { min: from, max: to });
    }
  }

  // rates makes packets a second of a counter that only grows; one that went
  // back had been started anew.
  const rates = d => {
    const out = { time: [], min: [], max: [], mean: [], last: [], count: [], low: [], high: [] };
    for (let i = 1; i < d.time.length; i++) {
      const dt = d.time[i] - d.time[i - 1];
      if (dt <= 0) continue;
      const up = d.last[i] - d.last[i - 1], r = (up < 0 ? d.last[i] : up) / dt;
      out.time.push(d.time[i]);
      for (const k of ["min", "max", "mean", "last"]) out[k].push(r);
      out.count.push(1); out.low.push(null); out.high.push(null);
    }
    return out;
  };

  const whole = Array.from({ length: 10 }, (_, e) => [1, 2, 5].map(m => m * 10 ** e)).flat();

  // span leaves some air above and below; a rate starts at nothing.
  const span = (lo, hi, chart) => {
    if (lo == null) return [0, 1];
    if (chart.rate) return [0, hi * 1.1 || 1];
    if (lo === hi) { const d = Math.abs(lo) * 0.1 || 1; return [lo - d, hi + d]; }
    const pad = (hi - lo) * (chart.stepped ? 0.15 : 0.08);
    return [lo - pad, hi + pad];
  };

  // hours writes the time axis in 24 hours, with the day where it begins.
  const hours = (u, splits, ai, space, incr) => {
    let day = "";
    return splits.map(s => {
      const d = tzDate(s), p = n => String(n).padStart(2, "0");
      const date = `${d.getFullYear()}-${p(d.getMonth() + 1)}-${p(d.getDate())}`;
      const t = incr >= 86400 ? "" : `${p(d.getHours())}:${p(d.getMinutes())}` + (incr < 60 ? `:${p(d.getSeconds())}` : "");
      if (s < u.scales.x.min) return "";
      const first = date !== day;
      day = date;
      return first ? (t ? t + "\n" + date : date) : t || date;
    });
  };

  // A group is charts that share a stretch of time.
  class Group {
    constructor(el, figs) {
      const d = el.dataset;
      this.el = el;
      this.zoom = d.zoom !== undefined;
      this.home = [Number(d.from), Number(d.to)];
      [this.from, this.to] = this.home;
      this.follow = d.follow === "true";
      this.charts = figs.map(f => new Chart(f, this));
      if (d.markFrom) for (const c of this.charts) c.marks.push([Number(d.markFrom) / 1e3, Number(d.markTo) / 1e3]);
    }
    load() { for (const c of this.charts) c.load(this.from, this.to); if (this.zoom) this.alerts(); }
    go(from, to) {
      if (to - from < 1000) { const mid = (from + to) / 2; from = mid - 500; to = mid + 500; }
      this.from = Math.round(from); this.to = Math.round(to);
      this.follow = false;
      this.remember();
      this.load();
    }
    reset() {
      [this.from, this.to] = this.home;
      this.follow = this.el.dataset.follow === "true";
      history.replaceState(null, "", this.url ?? location.href);
      this.load();
    }
    remember() {
      if (!this.zoom) return;
      this.url ??= location.href;
      const u = new URL(location.href);
      u.searchParams.delete("range");
      u.searchParams.set("from", new Date(this.from).toISOString());
      u.searchParams.set("to", new Date(this.to).toISOString());
      history.replaceState(null, "", u);
    }
    // alerts marks the stretches of alerts that name a drawn point.
    async alerts() {
      try {
        const list = (await get(`/api/v1/alerts?from=${iso(this.from)}&to=${iso(this.to)}&limit=500`)).alerts.map(a => a.alert);
        for (const c of this.charts) {
          const s = c.about ??= await get(`/api/v1/series/${encodeURIComponent(c.fig.dataset.series)}`);
          c.marks = list.filter(a => a.server?.ip === s.device && (a.points ?? []).some(p => p.kind === s.kind && p.first <= s.index && (p.last ?? p.first) >= s.index))
            .map(a => [Date.parse(a.start) / 1e3, Date.parse(a.end) / 1e3]);
          c.u?.redraw(false);
        }
      } catch { /* the charts stand without their marks */ }
    }
    async tick() {
      if (!this.follow || document.hidden) return;
      try {
        const now = Date.parse((await get("/api/v1/status")).clock);
        const width = this.to - this.from;
        if (now > this.to) { this.to = now; this.from = now - width; this.load(); }
      } catch { offline(true); }
    }
  }

  const groups = [
    ...$$(".charts").map(el => new Group(el, $$("figure.chart", el))),
    ...$$("figure.chart.rate").map(el => new Group(el, [el])),
  ];
  for (const g of groups) g.load();
  if (groups.some(g => g.follow)) setInterval(() => groups.forEach(g => g.tick()), refresh);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => groups.forEach(g => g.charts.forEach(c => c.again())));

  const zoomable = groups.find(g => g.zoom);
  const tools = {
    in: g => { const w = (g.to - g.from) / 4; g.go(g.from + w, g.to - w); },
    out: g => { const w = (g.to - g.from) / 2; g.go(g.from - w, g.to + w); },
    earlier: g => { const w = (g.to - g.from) / 2; g.go(g.from - w, g.to - w); },
    later: g => { const w = (g.to - g.from) / 2; g.go(g.from + w, g.to + w); },
    reset: g => g.reset(),
  };
  if (zoomable) {
    for (const b of $$("[data-tool]")) b.addEventListener("click", () => tools[b.dataset.tool](zoomable));
    const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "earlier", ArrowRight: "later", 0: "reset" };
    document.addEventListener("keydown", e => {
      if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, textarea, select")) return;
      if (keys[e.key]) { e.preventDefault(); tools[keys[e.key]](zoomable); }
    });
  } else for (const b of $$("[data-tool]")) b.disabled = true;
})();
