// The token of this tab.

import { get, setToken, token } from "../api.js";
import { say } from "../dialog.js";
import { h } from "../dom.js";
import { button, facts, heading, section } from "../parts.js";

export default function settings(_, app) {
  return {
    title: "Token",
    load: async (signal) => (token() ? get("/v1/acl/token/self", { signal }).catch((error) => ({ error: error.message })) : null),
    draw: (self) => [
      heading({ title: "Token" }),
      h("section", { class: "panel", key: "form" }, tokenForm(app)),
      self && section("Who you are", self.error ? h("p", { class: "error" }, self.error) : facts([
        ["Name", self.Name], ["Type", self.Type], ["Accessor", h("code", {}, self.AccessorID)], ["Policies", (self.Policies ?? []).join(", ")],
      ])),
    ],
  };
}

// tokenForm takes a token, keeps it until the tab is closed, and goes on.
export function tokenForm(app) {
  const use = (text) => {
    setToken(text);
    say(text ? "The token is used from now on." : "The token is forgotten.");
    app.restart();
  };
  return h("form", {
    class: "stack", onsubmit: (event) => {
      event.preventDefault();
      use(new FormData(event.target).get("secret").trim());
    },
  },
  h("label", {}, "Secret ID of a token", h("input", { type: "password", name: "secret", autocomplete: "off", spellcheck: "false", class: "mono", required: true })),
  h("p", { class: "muted" }, "It is kept in this tab only, and forgotten when the tab is closed. The agent prints its own one when it starts on an address that others reach."),
  h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Use this token"), token() && button("Forget it", () => use(""))));
}
