// Keeps the overview current without getting in the way: not while paused, out of sight, or while text in it is selected;
// open tables stay open and scrolled where they were, and htmx gives the focus back to the element of the same id.
(() => {
  "use strict";
  const PERIOD = 5000;
  const KEY = "semgate.paused";
  const pause = document.getElementById("pause");
  if (!pause) {
    return;
  }
  let paused = sessionStorage.getItem(KEY) === "yes";
  let open = [];
  let scrolled = [];

  const live = () => document.getElementById("live");

  function show() {
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Paused" : "Pause";
  }

  function selecting() {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && live().contains(selection.anchorNode);
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    sessionStorage.setItem(KEY, paused ? "yes" : "no");
    show();
  });
  document.addEventListener("htmx:beforeSwap", () => {
    open = [...live().querySelectorAll("details[open]")].map((each) => each.id);
    scrolled = [...live().querySelectorAll(".scroll")].map((each) => [each.id, each.scrollLeft, each.scrollTop]);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of open) {
      document.getElementById(id)?.setAttribute("open", "");
    }
    for (const [id, left, top] of scrolled) {
      document.getElementById(id)?.scrollTo(left, top);
    }
  });
  setInterval(() => {
    if (!paused && !document.hidden && !selecting()) {
      htmx.trigger(live(), "refresh");
    }
  }, PERIOD);
  show();
})();
