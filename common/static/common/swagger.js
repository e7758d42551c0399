// What Swagger's pages leave out: their language, the system's dark colours, names of controls.
const root = document.documentElement;
root.lang = "en";

const dark = matchMedia("(prefers-color-scheme: dark)");
const show = () => root.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", show);
show();

const nameOf = (control) =>
  control.closest("tr[data-param-name]")?.dataset.paramName ??
  (control.matches("textarea") ? "Request body" : "Example");

const complete = () => {
  for (const control of document.querySelectorAll("#swagger-ui :is(select, textarea, input)")) {
    if (!control.labels?.length && !control.ariaLabel) control.ariaLabel = nameOf(control);
  }
  // Who cannot point scrolls by keys.
  for (const code of document.querySelectorAll("#swagger-ui pre.microlight")) code.tabIndex = 0;
  // The button around it is what is pressed.
  for (const link of document.querySelectorAll("button.opblock-summary-control a")) {
    link.removeAttribute("href");
  }
};
addEventListener("DOMContentLoaded", () => {
  new MutationObserver(complete).observe(document.body, { childList: true, subtree: true });
});
