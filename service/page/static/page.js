// What the page does beyond plain HTML. Everything works without this script.
"use strict";

const form = document.getElementById("form");
const sides = [...form.querySelectorAll(".side")]; // of each: a box for a text, and files instead
const key = document.getElementById("key");
const announce = document.getElementById("status");
const button = form.querySelector("button[type=submit]");
const label = button.textContent;
const again = document.querySelector("details.again");

document.documentElement.classList.add("js");

// --- sending

const LONGEST = 40_000; // milliseconds after which the reader must have stopped the loading

let waiting = 0;

function busy(is) {
  clearTimeout(waiting);
  if (is) waiting = setTimeout(busy, LONGEST, false);
  button.setAttribute("aria-disabled", String(is));
  button.textContent = is ? button.dataset.busy : label;
  form.setAttribute("aria-busy", String(is));
  announce.textContent = is ? form.dataset.status : "";
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

// --- files

const boxOf = (side) => side.querySelector("textarea");
const filesOf = (side) => side.querySelector("input[type=file]");

function checkSize() {
  // All files are sent together.
  const inputs = sides.map(filesOf);
  const size = inputs.flatMap((one) => [...one.files]).reduce((sum, one) => sum + one.size, 0);
  const most = Number(inputs[0].dataset.most);
  for (const one of inputs) {
    const many = one.files.length && size > most;
    one.setCustomValidity(many ? `Together the files are larger than ${(most / 1e6).toLocaleString("en")} MB. Choose fewer or smaller ones.` : "");
  }
}

for (const side of sides) filesOf(side).addEventListener("change", checkSize);

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
  return types.includes("text/plain") && !own && event.target.localName !== "textarea"; // boxes accept text by themselves
}

function choose(side, files) {
  const chosen = new DataTransfer();
  for (const one of files) chosen.items.add(one);
  filesOf(side).files = chosen.files;
}

// Returns where something is put that is dropped elsewhere: the first side that is empty.
function emptySide() {
  return sides.find((side) => !boxOf(side).value.trim() && !filesOf(side).files.length) ?? sides[0];
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
  const dropped = [...event.dataTransfer.files];
  const side = event.target.closest?.(".side") ?? emptySide();
  if (!dropped.length) {
    boxOf(side).value = event.dataTransfer.getData("text/plain");
    announce.textContent = "The text is in the box.";
  } else if (filesOf(side).multiple || dropped.length === 1) {
    choose(side, dropped);
    announce.textContent = dropped.length === 1 ? `${dropped[0].name} was chosen.` : `${dropped.length} files were chosen.`;
  } else {
    sides.forEach((one, place) => { if (dropped[place]) choose(one, [dropped[place]]); });
    announce.textContent = `${dropped.slice(0, sides.length).map((one) => one.name).join(" and ")} were chosen.`;
  }
  checkSize();
  button.focus();
  button.scrollIntoView({ block: "nearest" });
});

// --- marked words and their lists

openLists();
if (document.querySelector(".article")) addTooltip(document.getElementById("main"), ".article .odd", reveal);
