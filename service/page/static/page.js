// What the page does beyond plain HTML. Everything works without this script.
"use strict";

const form = document.getElementById("form");
const box = document.getElementById("text");
const file = document.getElementById("file");
const key = document.getElementById("key");
const announce = document.getElementById("status");
const button = form.querySelector("button[type=submit]");
const label = button.textContent;
const again = document.querySelector("details.again");

document.documentElement.classList.add("js");

// --- judging

const LONGEST = 40_000; // milliseconds after which the reader must have stopped the loading

let waiting = 0;

function busy(is) {
  clearTimeout(waiting);
  if (is) waiting = setTimeout(busy, LONGEST, false);
  button.setAttribute("aria-disabled", String(is));
  button.textContent = is ? button.dataset.busy : label;
  form.setAttribute("aria-busy", String(is));
  announce.textContent = is ? "Judging the text." : "";
}

form.addEventListener("submit", (event) => {
  if (button.getAttribute("aria-disabled") === "true") {
    event.preventDefault();
    return;
  }
  if (key) sessionStorage.setItem("key", key.value);
  busy(true);
});
// The browser may show a cached page again, on which no request is in progress.
addEventListener("pageshow", () => busy(false));

form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit(button);
  }
});

for (const field of document.querySelectorAll("input[name=key]")) field.value = sessionStorage.getItem("key") ?? "";

// --- labels

for (const one of document.querySelectorAll("form.label")) {
  one.addEventListener("submit", (event) => {
    // Ignore a second click while the first is in progress.
    if (one.getAttribute("aria-busy") === "true") event.preventDefault();
    one.setAttribute("aria-busy", "true");
    const field = one.querySelector("input[name=key]");
    if (field) sessionStorage.setItem("key", field.value);
  });
  addEventListener("pageshow", () => one.setAttribute("aria-busy", "false"));
}

// --- dropping

let depth = 0;
let own = false; // whether a part of this page is being dragged

addEventListener("dragstart", () => { own = true; });
addEventListener("dragend", () => { own = false; });

function wanted(event) {
  const types = event.dataTransfer?.types ?? [];
  if (types.includes("Files")) return true;
  return types.includes("text/plain") && !own && event.target !== box; // the box accepts text by itself
}

function dropping(is) {
  document.documentElement.classList.toggle("dropping", is);
  if (!is) depth = 0;
}

addEventListener("dragenter", (event) => {
  if (!wanted(event)) return;
  depth += 1;
  dropping(true);
});
addEventListener("dragleave", (event) => {
  if (wanted(event) && --depth <= 0) dropping(false);
});
addEventListener("dragover", (event) => {
  if (wanted(event)) event.preventDefault();
});
addEventListener("drop", (event) => {
  const take = wanted(event);
  dropping(false);
  if (!take) return;
  event.preventDefault();
  if (again) again.open = true;
  if (event.dataTransfer.files.length) {
    const one = new DataTransfer();
    one.items.add(event.dataTransfer.files[0]);
    file.files = one.files;
    announce.textContent = `${file.files[0].name} was chosen.`;
  } else {
    box.value = event.dataTransfer.getData("text/plain");
    announce.textContent = "The text is in the box.";
  }
  button.focus();
  button.scrollIntoView({ block: "nearest" });
});

// --- probable originals

const article = document.querySelector(".article");
if (article) addTooltip(article, ".article .odd");
