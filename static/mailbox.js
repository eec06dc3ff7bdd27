// Load new emails into the local mailbox while the page is visible.
"use strict";

const PAUSE = 2000;
const status = document.querySelector("#mailbox-status");
document.querySelector("#mailbox-refresh").remove();

async function look() {
  const shown = document.querySelector("#mailbox");
  if (document.visibilityState === "hidden") return;
  const response = await fetch(location.href, { cache: "no-store" });
  if (!response.ok || response.redirected) return;
  const found = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("#mailbox");
  if (!found || found.innerHTML === shown.innerHTML) return;
  const focused = shown.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const more = found.querySelectorAll("li").length > shown.querySelectorAll("li").length;
  shown.replaceWith(document.adoptNode(found));
  if (focused) found.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  status.textContent = "";
  if (more) setTimeout(() => { status.textContent = found.dataset.new; }, 100);
}

// One request at a time, however slow; continues after a restart of the portal.
const watch = () => look().catch(() => {}).finally(() => setTimeout(watch, PAUSE));
setTimeout(watch, PAUSE);
document.addEventListener("visibilitychange", () => look().catch(() => {}));
