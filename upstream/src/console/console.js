// Keeps the overview up to date. Without it the page is whole, and a link renews it.
"use strict";
(() => {
  const SECONDS = 5;
  const pause = document.getElementById("pause");
  let paused = false;
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on updating" : "Pause updates";
  });
  // Nobody loses what they point at, select or have focused.
  const isInUse = (live) =>
    live.contains(document.activeElement) ||
    live.matches(":hover") ||
    !window.getSelection().isCollapsed;
  const renew = () => {
    const request = new XMLHttpRequest();
    request.open("GET", "/live");
    request.responseType = "document";
    request.timeout = 4000;
    request.onload = () => {
      const live = document.getElementById("live");
      const fresh = request.response && request.response.getElementById("live");
      if (request.status !== 200 || !fresh || isInUse(live)) return;
      const said = document.getElementById("said");
      const text = fresh.querySelector("#said").textContent;
      // The same element, so that a screen reader hears of a change alone.
      fresh.querySelector("#said").replaceWith(said);
      live.replaceWith(document.adoptNode(fresh));
      if (said.textContent !== text) said.textContent = text;
    };
    request.send();
  };
  setInterval(() => {
    if (!paused && !document.hidden) renew();
  }, SECONDS * 1000);
})();
