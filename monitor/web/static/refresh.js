// Loads the page again every few seconds and replaces its content. Every page works without this script.
"use strict";

const seconds = Number(document.body.dataset.refresh);
const updated = document.getElementById("updated");
const main = document.getElementById("main");
let paused = false;
let loading = false;

const button = document.createElement("button");
button.type = "button";
const label = () => { button.textContent = paused ? "Resume updates" : "Pause updates"; };
button.addEventListener("click", () => { paused = !paused; label(); });
label();
const lost = document.createElement("span");
lost.setAttribute("role", "status");
updated.append(button, lost);

// A reader who is filling in a form or has selected text must not lose it.
const busy = () => document.activeElement.matches("input, select") || !document.getSelection().isCollapsed;

// Links and tables that lead to the same, in the order of the page: what had the focus gets it again.
const key = (element) => element.tagName + (element.getAttribute("href") ?? element.getAttribute("aria-label"));
const alike = (element) => [...main.querySelectorAll("a, [tabindex]")].filter((other) => key(other) === key(element));

async function load() {
  const response = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!page.getElementById("main")) throw new Error(`no page, status ${response.status}`);
  return page;
}

async function refresh() {
  if (paused || loading || document.hidden || busy()) return;
  loading = true;
  let page;
  try {
    page = await load();
  } catch {
    lost.textContent = "The monitor does not answer. This page is old.";
    return;
  } finally {
    loading = false;
  }
  if (busy()) return;
  const scrolled = [...main.querySelectorAll(".scroll")].map((part) => [part.scrollLeft, part.scrollTop]);
  const focused = main.contains(document.activeElement) ? document.activeElement : null;
  const place = focused ? alike(focused).indexOf(focused) : -1;
  main.replaceChildren(...page.getElementById("main").childNodes);
  main.querySelectorAll(".scroll").forEach((part, index) => part.scrollTo(...(scrolled[index] ?? [0, 0])));
  if (place >= 0) alike(focused)[place]?.focus({ preventScroll: true });
  lost.textContent = "";
  updated.querySelector("time").replaceWith(page.querySelector("#updated time"));
  document.title = page.title;
}

setInterval(refresh, seconds * 1000);
document.addEventListener("visibilitychange", refresh);
