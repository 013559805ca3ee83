// Light, dark, or as the system says. The choice outlives the page.

import { load, save } from "./storage.js";

const key = "relay.theme";
const themes = ["system", "light", "dark"];

function apply(button, theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const label = theme === "system" ? "Theme: as the system" : `Theme: ${theme}`;
  button.title = label;
  button.setAttribute("aria-label", label);
}

export function setUpTheme(button) {
  let theme = load("localStorage", key);
  if (!themes.includes(theme)) theme = "system";
  apply(button, theme);
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    save("localStorage", key, theme);
    apply(button, theme);
  });
}
