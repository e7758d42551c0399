// Add to Swagger UI: the page's language, the system's dark mode, and names of form controls.
const root = document.documentElement;
root.lang = "en";

const dark = matchMedia("(prefers-color-scheme: dark)");
const applyMode = () => root.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", applyMode);
applyMode();

const nameOf = (control) =>
  control.closest("tr[data-param-name]")?.dataset.paramName ??
  (control.matches("textarea") ? "Request body" : "Example");

const labelControls = () => {
  for (const control of document.querySelectorAll("#swagger-ui :is(select, textarea, input)")) {
    if (!control.labels?.length && !control.ariaLabel) control.ariaLabel = nameOf(control);
  }
  // Let the keyboard scroll long examples.
  for (const code of document.querySelectorAll("#swagger-ui pre.microlight")) code.tabIndex = 0;
  // The link is inside a button; only the button must be focusable.
  for (const link of document.querySelectorAll("button.opblock-summary-control a")) {
    link.removeAttribute("href");
  }
};
addEventListener("DOMContentLoaded", () => {
  new MutationObserver(labelControls).observe(document.body, { childList: true, subtree: true });
});
