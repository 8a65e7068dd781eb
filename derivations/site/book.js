"use strict";
// What a page does beyond being read: the scheme, the column that follows, symbols, the search.

const root = document.currentScript.dataset.root;

// The scheme is set before anything is painted.

function keep(name, value) {
  try {
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch {
    return null; // a browser may refuse files from the disk a memory
  }
}

function isDark() {
  const chosen = document.documentElement.dataset.scheme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

if (keep("scheme")) document.documentElement.dataset.scheme = keep("scheme");

function startScheme() {
  const button = document.getElementById("scheme");
  const show = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.scheme = keep("scheme", isDark() ? "light" : "dark") ?? "dark";
    show();
  });
  show();
}

// The function whose equation is in view comes into view, and both are lit.

function startFollowing() {
  const column = document.getElementById("code");
  const stations = [...document.querySelectorAll("main [data-shows]")];
  if (!column || !stations.length) return;
  const inBand = new Set();
  let current = null;
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) inBand.add(target);
      else inBand.delete(target);
    }
    const seen = stations.filter((station) => inBand.has(station));
    const next = seen.find((station) => station.matches(".equation")) ?? seen[0];
    if (next && next !== current) show((current = next));
  }, { rootMargin: "-12% 0px -55% 0px" });
  stations.forEach((station) => observer.observe(station));
  column.classList.add("smooth");
}

function show(station) {
  document.querySelectorAll(".def.lit, .equation.lit").forEach((e) => e.classList.remove("lit"));
  const shown = station.dataset.shows.split(" ").map((id) => document.getElementById(id));
  [station, ...shown].forEach((element) => element?.classList.add("lit"));
  const first = shown.find(Boolean);
  if (first) bring(first);
}

function bring(element) {
  const column = document.getElementById("code");
  if (getComputedStyle(column).position !== "fixed") return; // under the text it stays where it is
  const above = element.getBoundingClientRect().top - column.getBoundingClientRect().top;
  column.scrollTop += above - column.clientHeight / 6;
}

// A click on a symbol lights it in formulas, text and code; a second click or Escape ends that.

function light(key) {
  document.querySelectorAll("[data-symbol].lit").forEach((e) => e.classList.remove("lit"));
  const all = key ? [...document.querySelectorAll(`[data-symbol="${key}"]`)] : [];
  all.forEach((element) => element.classList.add("lit"));
  document.querySelectorAll("[data-key]").forEach((button) => {
    button.setAttribute("aria-pressed", button.dataset.key === key);
  });
  document.getElementById("said").textContent = key ? `${key}: lit in ${all.length} places` : "";
}

function startSymbols() {
  const lit = () => document.querySelector("[data-symbol].lit")?.dataset.symbol;
  document.addEventListener("click", ({ target }) => {
    const symbol = target.closest("[data-symbol], [data-key]");
    if (!symbol || target.closest("a")) return;
    const key = symbol.dataset.symbol ?? symbol.dataset.key;
    light(key === lit() ? null : key);
  });
  document.addEventListener("keydown", ({ key }) => { if (key === "Escape") light(null); });
  const legend = document.querySelector(".legend");
  if (legend) legend.hidden = false;
}

// The search reads search.js when it is first asked.

function index() {
  index.read ??= new Promise((done) => {
    const script = document.createElement("script");
    script.src = `${root}search.js`;
    script.onload = () => done(BOOK.map((entry) => [...entry, entry.join(" ").toLowerCase()]));
    document.head.append(script);
  });
  return index.read;
}

async function search(words) {
  const rank = (entry) => words.filter((word) => entry[1].toLowerCase().includes(word)).length;
  return (await index())
    .filter((entry) => words.every((word) => entry[4].includes(word)))
    .sort((a, b) => rank(b) - rank(a));
}

function result([address, title, where, text], word) {
  const item = document.createElement("li");
  const link = Object.assign(document.createElement("a"), { href: root + address, textContent: title });
  const place = Object.assign(document.createElement("span"), { className: "where", textContent: ` ${where}` });
  const at = text.lastIndexOf(" ", Math.max(0, text.toLowerCase().indexOf(word) - 60)) + 1;
  const excerpt = Object.assign(document.createElement("p"), { textContent: text.slice(at, at + 160) });
  item.append(link, place, excerpt);
  return item;
}

function startSearch() {
  const form = document.querySelector("form[role=search]");
  const [field, found] = [form.querySelector("input"), document.getElementById("found")];
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  field.addEventListener("input", async () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const results = words.length ? await search(words) : [];
    const count = document.createElement("p");
    count.textContent = results.length === 1 ? "1 place" : `${results.length} places`;
    const list = document.createElement("ol");
    list.append(...results.slice(0, 30).map((entry) => result(entry, words[0])));
    found.replaceChildren(count, list);
    found.hidden = !words.length;
    document.getElementById("said").textContent = words.length ? count.textContent : "";
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") found.hidden = true;
    if (event.key === "/" && !event.target.closest("input")) {
      event.preventDefault();
      field.focus();
    }
  });
  found.addEventListener("click", ({ target }) => { if (target.closest("a")) found.hidden = true; });
}

// What scrolls sideways can be scrolled by the keyboard, too.

function startScrolling() {
  const check = (box) => {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };
  const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => check(target)));
  document.querySelectorAll(".scroll").forEach((box) => {
    check(box);
    resized.observe(box);
  });
}

document.addEventListener("DOMContentLoaded", () => {
  startScheme();
  startFollowing();
  startSymbols();
  startSearch();
  startScrolling();
});
