// What changes something is asked for first, and told afterwards.

import { h, render } from "./dom.js";
import { button } from "./parts.js";

let quiet;

// say tells the reader what happened, for a while.
export function say(text) {
  const said = document.getElementById("said");
  render(said, h("p", {}, text));
  clearTimeout(quiet);
  quiet = setTimeout(() => render(said), 10000);
}

// ask opens a dialog with a title, a body (a view, or a function that gives one)
// and a button that does something. When that fails the dialog stays and says why.
export function ask({ title, body, action, danger, run }) {
  const dialog = document.createElement("dialog");
  let error = "";
  let busy = false;
  const draw = () => render(dialog, h("form", { method: "dialog", onsubmit: go },
    h("h2", { id: "dialog-title" }, title),
    typeof body === "function" ? body(draw) : body,
    error && h("p", { class: "error", role: "alert" }, error),
    h("div", { class: "actions" },
      button("Cancel", () => dialog.close()),
      h("button", { type: "submit", class: danger ? "danger" : "primary", disabled: busy }, action))));
  async function go(event) {
    event.preventDefault();
    [busy, error] = [true, ""];
    draw();
    try {
      const told = await run();
      dialog.close();
      if (told) say(told);
    } catch (failed) {
      [busy, error] = [false, failed.message];
      draw();
    }
  }
  dialog.setAttribute("aria-labelledby", "dialog-title");
  const opener = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (opener?.isConnected) opener.focus();
  });
  draw();
  document.body.append(dialog);
  dialog.showModal();
}
