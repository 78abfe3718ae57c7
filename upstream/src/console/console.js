// Keeps the overview up to date. Without it the page is whole, and a link renews it.
"use strict";
(() => {
  const SECONDS = 5;
  const HELD = ", not renewed while you select, focus or point at a part of it";
  const pause = document.getElementById("pause");
  let paused = false;
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on updating" : "Pause updates";
  });
  // Nobody loses the link that they point at, what they select or have focused.
  const isInUse = (live) =>
    live.contains(document.activeElement) ||
    live.querySelector("a:hover, button:hover") !== null ||
    !window.getSelection().isCollapsed;
  // Says, once, since when what is shown is not what is so; nothing: it is.
  const warn = (why, link) => {
    const stale = document.getElementById("stale");
    const since = document.getElementById("as-of").dateTime.slice(11, 16);
    const text = why ? `Not up to date since ${since} UTC: ${why}` : "";
    if (stale.textContent === text + (link ? "Log in again" : "")) return;
    stale.textContent = text;
    if (!link) return;
    const login = document.createElement("a");
    login.href = "/login";
    login.textContent = "Log in again";
    stale.append(login);
  };
  const renew = () => {
    const request = new XMLHttpRequest();
    request.open("GET", "/live");
    request.responseType = "document";
    request.timeout = 4000;
    const silent = () => warn("the server doesn't answer.");
    request.onerror = silent;
    request.ontimeout = silent;
    request.onload = () => {
      const live = document.getElementById("live");
      const fresh = request.response && request.response.getElementById("live");
      if (request.status === 401) return warn("your session has ended. ", true);
      if (request.status !== 200 || !fresh) return warn(`the server answers ${request.status}.`);
      warn("");
      if (isInUse(live)) {
        // In a line that is there: nothing moves under who points at it.
        document.getElementById("held").textContent = HELD;
        return;
      }
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
