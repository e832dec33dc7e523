// Loads the page again every few seconds and replaces its content. Every page works without this script.
"use strict";

const seconds = Number(document.body.dataset.refresh);
const updated = document.getElementById("updated");
const main = document.getElementById("main");
let paused = false;

const button = document.createElement("button");
button.type = "button";
const label = () => { button.textContent = paused ? "Resume updates" : "Pause updates"; };
button.addEventListener("click", () => { paused = !paused; label(); });
label();
const lost = document.createElement("span");
lost.setAttribute("role", "status");
updated.append(button, lost);

// A reader who is filling in a form or has selected text must not lose it.
const busy = () => main.contains(document.activeElement) && document.activeElement !== main
  || !document.getSelection().isCollapsed;

async function refresh() {
  if (paused || document.hidden || busy()) return;
  let page;
  try {
    const response = await fetch(location.href, { cache: "no-store", credentials: "same-origin" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    page = new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    lost.textContent = "The monitor does not answer. This page is old.";
    return;
  }
  if (busy()) return;
  const scrolled = [...main.querySelectorAll(".scroll")].map((part) => [part.scrollLeft, part.scrollTop]);
  main.replaceChildren(...page.getElementById("main").childNodes);
  main.querySelectorAll(".scroll").forEach((part, index) => part.scrollTo(...(scrolled[index] ?? [0, 0])));
  lost.textContent = "";
  updated.querySelector("time").replaceWith(page.querySelector("#updated time"));
  document.title = page.title;
}

setInterval(refresh, seconds * 1000);
document.addEventListener("visibilitychange", refresh);
