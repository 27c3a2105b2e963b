// What several views show alike.

import { h } from "./dom.js";

// heading names the page: the way here, the title, and what can be done.
export function heading({ trail = [], title, beside, actions = [] }) {
  return h("div", { class: "heading", key: "heading" },
    trail.length > 0 && h("nav", { class: "trail", "aria-label": "Breadcrumb" },
      trail.map(([text, href]) => h("span", {}, h("a", { href }, text), h("span", { "aria-hidden": "true" }, " / ")))),
    h("div", { class: "title" }, h("h1", { tabindex: "-1" }, title), beside, h("div", { class: "actions" }, actions)));
}

export function section(title, ...content) {
  return h("section", { class: "panel", key: "section " + title }, h("h2", {}, title), content);
}

// table shows rows, each {key, cells, class}; columns are {name, class}. Without
// rows it says what is not there.
export function table(columns, rows, empty) {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col", class: c.class }, c.name)))),
    h("tbody", {}, rows.map((row) => h("tr", { key: row.key, class: row.class },
      row.cells.map((cell, i) => h("td", { class: columns[i].class }, cell)))))));
}

// facts shows names and values; those without a value are left out.
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false);
  return h("dl", { class: "facts" }, shown.map(([name, value]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, value))));
}

export function button(text, onclick, props = {}) {
  return h("button", { type: "button", onclick, ...props }, text);
}

// bar shows parts of a whole; each part is {n, tone, name}. The words beside it
// say the same.
export function bar(parts, total) {
  const all = Math.max(total, parts.reduce((sum, p) => sum + p.n, 0), 1);
  const rest = all - parts.reduce((sum, p) => sum + p.n, 0);
  return h("span", { class: "bar-parts", "aria-hidden": "true" },
    parts.filter((p) => p.n > 0).map((p) => h("span", { class: p.tone, style: { flexGrow: String(p.n) }, title: `${p.n} ${p.name}` })),
    rest > 0 && h("span", { style: { flexGrow: String(rest) } }));
}

// tabs are links: each has an address of its own.
export function tabs(items, current) {
  return h("nav", { class: "tabs", "aria-label": "Parts of this job", key: "tabs" },
    items.map(([name, text, href]) => h("a", { href, "aria-current": name === current ? "page" : null }, text)));
}

// problem tells what went wrong in the place of a view.
export function problem(title, text, ...more) {
  return h("div", { class: "problem", key: "problem" }, h("h1", { tabindex: "-1" }, title), h("p", {}, text), more);
}
