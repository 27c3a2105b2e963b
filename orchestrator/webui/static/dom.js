// Views are made of plain objects, and the page is changed only where they
// differ from what it shows: focus, selection and scrolling stay where they are.
// Texts become text nodes; nothing here makes elements out of texts.

// h describes an element. Properties that begin with "on" are handlers, key names
// an element among its siblings, style is an object; any other is an attribute,
// left out where it is null or false.
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, key: props?.key, children: flat(children) };
}

// held puts an element that somebody else takes care of into a view.
export const held = (element) => ({ element, key: element });

// render makes the children of an element those that are described.
export function render(parent, ...children) {
  patch(parent, flat(children));
}

const flat = (children) => children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== "");

const isText = (wanted) => typeof wanted !== "object";

function patch(parent, wanted) {
  const kept = new Map();
  const keys = new Set(wanted.map((w) => w.key).filter((key) => key !== undefined));
  for (const child of [...parent.childNodes]) {
    if (child.ostroKey === undefined) continue;
    if (keys.has(child.ostroKey)) kept.set(child.ostroKey, child);
    else child.remove();
  }
  let at = parent.firstChild;
  for (const w of wanted) {
    const found = w.key === undefined ? at : kept.get(w.key);
    const node = found && fits(found, w) ? found : make(w);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
    update(node, w);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function fits(node, wanted) {
  if (wanted.element) return node === wanted.element;
  if (isText(wanted)) return node.nodeType === Node.TEXT_NODE;
  return node.localName === wanted.tag && node.ostroKey === wanted.key && !node.ostroHeld;
}

function make(wanted) {
  if (isText(wanted)) return document.createTextNode("");
  const node = wanted.element ?? document.createElement(wanted.tag);
  node.ostroKey = wanted.key;
  node.ostroHeld = Boolean(wanted.element);
  return node;
}

function update(node, wanted) {
  if (isText(wanted)) {
    if (node.data !== String(wanted)) node.data = String(wanted);
    return;
  }
  if (wanted.element) return;
  const before = node.ostroProps ?? {};
  for (const name of Object.keys(before)) if (!(name in wanted.props)) set(node, name, null);
  for (const [name, value] of Object.entries(wanted.props)) if (before[name] !== value) set(node, name, value);
  node.ostroProps = wanted.props;
  patch(node, wanted.children);
}

function set(node, name, value) {
  if (name === "key") return;
  if (name.startsWith("on")) node[name] = value;
  else if (name === "style") Object.assign(node.style, value);
  else if (name === "value") node.value = value ?? "";
  else if (name === "checked" || name === "disabled" || name === "selected") node[name] = Boolean(value);
  else if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : value);
}
