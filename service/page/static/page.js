// What the page does beyond plain HTML. Without this script, all of it still works.
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

const LONGEST = 40_000; // milliseconds after which an answer is no longer on its way, if the reader stopped the loading

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
// Back to a page that the browser has kept: nothing is under way any more.
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
    // A second click while the first is under way says nothing new.
    if (one.getAttribute("aria-busy") === "true") event.preventDefault();
    one.setAttribute("aria-busy", "true");
    const field = one.querySelector("input[name=key]");
    if (field) sessionStorage.setItem("key", field.value);
  });
  addEventListener("pageshow", () => one.setAttribute("aria-busy", "false"));
}

// --- dropping

let depth = 0;
let own = false; // is it a part of this page that is dragged?

addEventListener("dragstart", () => { own = true; });
addEventListener("dragend", () => { own = false; });

function wanted(event) {
  const types = event.dataTransfer?.types ?? [];
  if (types.includes("Files")) return true;
  return types.includes("text/plain") && !own && event.target !== box; // the box takes text by itself
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
    announce.textContent = `${file.files[0].name} is chosen.`;
  } else {
    box.value = event.dataTransfer.getData("text/plain");
    announce.textContent = "The text is in the box.";
  }
  button.focus();
  button.scrollIntoView({ block: "nearest" });
});

// --- what probably stood there

const PATIENCE = 200; // milliseconds, for the pointer to get from the word to the tip

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
// Screen readers have the same from the word's own description.
tip.setAttribute("aria-hidden", "true");
document.getElementById("main").append(tip);

let shown = null;
let leaving = 0;

function place(word, x, y) {
  const gap = 8;
  // A word that is broken over two lines has two boxes.
  const boxes = [...word.getClientRects()];
  const at = boxes.find((one) => x >= one.left && x <= one.right && y >= one.top && y <= one.bottom) ?? boxes[0];
  const width = document.documentElement.clientWidth;
  const left = Math.max(gap, Math.min(at.left, width - tip.offsetWidth - gap));
  const above = at.bottom + gap + tip.offsetHeight > innerHeight && at.top > tip.offsetHeight + gap;
  const top = above ? at.top - tip.offsetHeight - gap : at.bottom + gap;
  tip.style.left = `${left + scrollX}px`;
  tip.style.top = `${top + scrollY}px`;
}

function show(word, x, y) {
  clearTimeout(leaving);
  if (word === shown) return;
  hide();
  const entry = document.getElementById(word.hash.slice(1));
  for (const part of entry.querySelectorAll(".was, .why, .times")) {
    const copy = part.cloneNode(true);
    copy.removeAttribute("id");
    tip.append(copy);
  }
  tip.hidden = false;
  word.classList.add("shown");
  shown = word;
  place(word, x, y);
}

function hide() {
  clearTimeout(leaving);
  shown?.classList.remove("shown");
  shown = null;
  tip.hidden = true;
  tip.replaceChildren();
}

function hideSoon() {
  clearTimeout(leaving);
  leaving = setTimeout(hide, PATIENCE);
}

const wordOf = (event) => event.target.closest?.(".article .odd");

const article = document.querySelector(".article");
if (article) {
  // The browser's own tip would stand on top of ours.
  for (const word of article.querySelectorAll(".odd")) word.removeAttribute("title");
  article.addEventListener("pointerover", (event) => {
    const word = wordOf(event);
    if (word && event.pointerType === "mouse") show(word, event.clientX, event.clientY);
  });
  article.addEventListener("pointerout", (event) => {
    if (wordOf(event) && event.pointerType === "mouse") hideSoon();
  });
  tip.addEventListener("pointerenter", () => clearTimeout(leaving));
  tip.addEventListener("pointerleave", hideSoon);
  article.addEventListener("focusin", (event) => {
    const word = wordOf(event);
    if (word) show(word);
  });
  article.addEventListener("focusout", hideSoon);
  article.addEventListener("click", (event) => {
    const word = wordOf(event);
    // By pointer or finger a word shows its tip; by the keyboard it is a link to its entry in the list.
    if (!word || event.detail === 0) return;
    event.preventDefault();
    show(word, event.clientX, event.clientY);
  });
  addEventListener("pointerdown", (event) => {
    if (shown && !wordOf(event) && !tip.contains(event.target)) hide();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  addEventListener("resize", () => {
    if (shown) place(shown);
  });
}
