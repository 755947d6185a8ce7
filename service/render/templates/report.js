// What the report does beyond plain HTML. Everything can be read without this script.
"use strict";

document.documentElement.classList.add("js");

// --- the reader's labels, kept here until they are downloaded

const labels = new Map(); // from a text's hash to its label
const controls = new Map(); // from a text's hash to functions that show its label
const labelling = document.getElementById("labelling");
let unsaved = false;

function setLabel(said, word) {
  const before = labels.get(said.digest);
  if (!word) labels.delete(said.digest);
  else if (before?.label !== word) labels.set(said.digest, { id: random(), created: new Date().toISOString(), label: word, ...said });
  for (const show of controls.get(said.digest)) show(word);
  unsaved = labels.size > 0;
  announce(labels.size ? `${count(labels.size)} so far.` : "There are no labels.");
}

function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function count(number) {
  return `${number.toLocaleString("en")} ${number === 1 ? "label" : "labels"}`;
}

function announce(words) {
  document.getElementById("labelled").textContent = words;
}

function onLabel(said, show) {
  if (!controls.has(said.digest)) controls.set(said.digest, []);
  controls.get(said.digest).push(show);
  show(labels.get(said.digest)?.label ?? "");
}

function choice(row) {
  // Adds the cell in which a row's label is chosen, when the row is first shown: there may be many rows.
  const cell = row.insertCell();
  cell.className = "c-label";
  if (!row.dataset.said) return;
  const said = JSON.parse(row.dataset.said);
  const select = document.createElement("select");
  select.setAttribute("aria-label", `Your label for ${(row.querySelector("bdi") ?? row.cells[0]).textContent.trim()}`);
  select.append(new Option("no label", ""));
  for (const word of labelling.dataset.words.split(" ")) select.append(new Option(word, word));
  select.addEventListener("change", () => setLabel(said, select.value));
  onLabel(said, (word) => { select.value = word; });
  cell.append(select);
}

function download() {
  const consent = document.getElementById("consent");
  if (!labels.size || !consent.checked) {
    announce(labels.size ? "Tick the box to agree. Without your consent nothing may be stored." : "There are no labels yet. Label a text first.");
    if (labels.size) consent.focus();
    return;
  }
  const more = { source: document.getElementById("source").value.trim() || null, consent: true, keep_text: document.getElementById("keep").checked };
  const lines = [...labels.values()].map((label) => `${JSON.stringify({ ...label, ...more })}\n`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
  link.download = "labels.jsonl";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  unsaved = false;
  announce(`${count(labels.size)} saved in labels.jsonl.`);
}

if (labelling) {
  for (const article of document.querySelectorAll(".offender[data-said]")) {
    const said = JSON.parse(article.dataset.said);
    for (const button of article.querySelectorAll("[data-label]")) {
      const pressed = () => button.getAttribute("aria-pressed") === "true";
      button.addEventListener("click", () => setLabel(said, pressed() ? "" : button.dataset.label));
      onLabel(said, (word) => button.setAttribute("aria-pressed", String(word === button.dataset.label)));
    }
  }
  document.getElementById("download").addEventListener("click", download);
  addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
}

// --- the table: sorting, filtering, and showing a part at a time

const STEP = 100;

function documents(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const status = document.getElementById("status");
  const verdict = document.getElementById("verdict");
  const words = document.getElementById("words");
  const more = document.getElementById("more");
  const everything = document.getElementById("everything");
  const order = new Intl.Collator(undefined, { numeric: true });
  const all = [...body.rows].map((row, place) => ({ row, place, text: plain(row.textContent), keys: [] }));
  let matching = all;
  let room = STEP;

  function plain(text) {
    return text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ");
  }

  function show() {
    // Hidden rows are not in the page at all, which keeps it fast.
    if (labelling) for (const { row } of matching.slice(0, room)) if (!row.querySelector(".c-label")) choice(row);
    body.replaceChildren(...matching.slice(0, room).map((entry) => entry.row));
    const shown = Math.min(room, matching.length);
    const count = (number) => number.toLocaleString("en");
    const of = matching.length < all.length ? `${count(matching.length)} of ${count(all.length)}` : count(all.length);
    status.textContent = `${of} ${all.length === 1 ? "document" : "documents"}${shown < matching.length ? `, the first ${count(shown)} shown` : ""}`;
    more.hidden = everything.hidden = shown === matching.length;
    more.textContent = `Show ${count(Math.min(STEP, matching.length - shown))} more`;
    everything.textContent = `Show all ${count(matching.length)}`;
  }

  function filter() {
    const wanted = plain(words.value).trim();
    matching = all.filter(
      ({ row, text }) => (!verdict.value || row.classList.contains(verdict.value)) && text.includes(wanted),
    );
    room = STEP;
    show();
  }

  function key(entry, column, numeric) {
    const cell = entry.row.cells[column];
    return (entry.keys[column] ??= numeric ? Number(cell.dataset.value) : cell.textContent);
  }

  function sort(head) {
    const column = head.cellIndex;
    const numeric = head.dataset.sort === "number";
    const before = head.getAttribute("aria-sort");
    const down = before ? before === "ascending" : numeric;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sign = down ? -1 : 1;
    all.sort((a, b) => {
      const [left, right] = [key(a, column, numeric), key(b, column, numeric)];
      return sign * (numeric ? left - right : order.compare(left, right)) || a.place - b.place;
    });
    filter();
  }

  if (labelling) {
    const head = document.createElement("th");
    head.scope = "col";
    head.className = "c-label";
    head.textContent = "Your label";
    table.tHead.rows[0].append(head);
  }
  for (const head of heads.filter((one) => one.dataset.sort)) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(head));
    head.append(button);
  }
  verdict.addEventListener("change", filter);
  words.addEventListener("input", filter);
  for (const [button, next] of [[more, () => room + STEP], [everything, () => Infinity]]) {
    button.addEventListener("click", () => {
      const first = matching[room]?.row;
      room = next();
      show();
      // If the button is gone, move the focus to the first new row.
      if (button.hidden && first) {
        first.cells[0].tabIndex = -1;
        first.cells[0].focus({ preventScroll: true });
      }
    });
  }
  filter(); // a browser that returns to the report restores what was typed
}

const table = document.getElementById("documents");
if (table) documents(table);

// --- marked words

const section = document.querySelector(".offenders");
if (section) {
  const hide = addTooltip(section, ".sentence .odd", (entry) => { entry.closest("details").open = true; });
  const beside = document.getElementById("beside");
  beside.addEventListener("click", () => {
    const is = beside.getAttribute("aria-pressed") !== "true";
    beside.setAttribute("aria-pressed", String(is));
    section.classList.toggle("besides", is);
    hide();
  });
}
