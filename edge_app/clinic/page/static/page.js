"use strict";
// What the page does better with JavaScript; all that can be read can be read without it.
document.documentElement.classList.add("scripted");
const form = document.body.dataset.form;
const by = (id) => document.getElementById(id);

// Upload: one file after the other, with progress; dropping them anywhere.
const upload = by("upload");
if (upload) {
  const files = by("files"), progress = by("progress"), said = by("said");
  const tell = (text) => {
    const line = document.createElement("li");
    line.textContent = text;
    said.append(line);
    return line;
  };
  const put = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const send = (file) => new Promise((done) => {
    const request = new XMLHttpRequest(), body = new FormData();
    body.append("form", form);
    body.append("file", file);
    request.open("POST", "/upload");
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => { progress.value = event.loaded / (event.total || 1); };
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { answer = {error: upload.dataset.lost}; }
      done(answer);
    };
    request.onerror = request.ontimeout = () => done({error: upload.dataset.lost});
    request.send(body);
  });
  const sendAll = async (chosen) => {
    said.replaceChildren();
    progress.hidden = false;
    const received = [];
    for (const file of chosen) {
      progress.value = 0;
      const line = tell(put(upload.dataset.sending, {name: file.name}));
      const answer = file.size > Number(upload.dataset.most)
        ? {error: upload.dataset.large} : await send(file);
      if (answer.images) {
        received.push(...answer.images);
        line.remove();
      } else {
        line.textContent = put(upload.dataset.refused, {name: file.name, why: answer.error});
      }
    }
    progress.hidden = true;
    upload.reset();
    if (received.length && !said.children.length) {
      location.assign(received.length === 1
        ? `/images/${received[0].number}?came=${received[0].verdict}` : "/");
    } else {
      renew();
    }
  };
  upload.addEventListener("submit", (event) => {
    event.preventDefault();
    if (files.files.length) sendAll([...files.files]);
  });
  const isFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  addEventListener("dragover", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    upload.classList.add("over");
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) upload.classList.remove("over"); });
  addEventListener("drop", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    upload.classList.remove("over");
    sendAll([...event.dataTransfer.files]);
  });
}

// The worklist renews itself while nobody is in it.
const RENEW = 5000;
async function renew() {
  const list = by("list");
  if (!list || document.hidden || list.contains(document.activeElement)) return;
  const address = new URL(location.href);
  address.searchParams.set("part", "list");
  try {
    const answer = await fetch(address, {headers: {Accept: "text/html"}});
    if (!answer.ok || answer.redirected) return;
    const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("list");
    if (made && made.innerHTML !== list.innerHTML) {
      list.replaceWith(document.adoptNode(made));
      by("renewed").textContent = made.dataset.said;
    }
  } catch { /* the box is away: the next look may find it */ }
}
if (by("list")) setInterval(renew, RENEW);

// An image that waits: its answer appears by itself.
const wait = by("wait");
if (wait) {
  const look = async () => {
    try {
      const answer = await fetch(`/images/${wait.dataset.number}/state`, {headers: {Accept: "application/json"}});
      if (answer.ok && (await answer.json()).state !== "waiting") { location.reload(); return; }
    } catch { /* the next look may find it */ }
    setTimeout(look, 1000);
  };
  setTimeout(look, 500);
}

// The viewer: heatmaps, windowing, zoom.
const viewer = by("viewer");
if (viewer) {
  const stage = by("stage"), picture = by("picture"), heat = by("heat"), outline = by("square");
  const toggles = [...document.querySelectorAll(".toggle")];
  const show = (toggle) => {
    const {channel, square, said, alt} = toggle.dataset;
    for (const each of toggles) each.toggleAttribute("aria-current", false);
    toggle.setAttribute("aria-current", "true");
    heat.hidden = true;  // the one before is of another finding
    outline.classList.toggle("off", square === undefined);
    if (channel !== "") {
      heat.src = `${location.pathname}/map/${channel}.png`;
      heat.alt = alt;
    } else {
      heat.removeAttribute("src");
    }
    if (square !== undefined) {
      const {width, height} = outline.viewBox.baseVal;
      const [left, top, right, bottom] = square.split(" ").map(Number);
      const box = {x: left * width, y: top * height, width: (right - left) * width, height: (bottom - top) * height};
      for (const line of outline.children) for (const key in box) line.setAttribute(key, box[key]);
    }
    by("map-said").textContent = said;
    history.replaceState(null, "", channel === "" ? location.pathname : `?map=${channel}`);
  };
  heat.addEventListener("load", () => { heat.hidden = false; });
  heat.addEventListener("error", () => {
    heat.hidden = true;
    outline.classList.add("off");
    by("map-said").textContent = by("map-said").dataset.lost;
  });
  for (const toggle of toggles) {
    toggle.addEventListener("click", (event) => {
      event.preventDefault();
      const none = by("no-map");
      show(toggle.hasAttribute("aria-current") && none ? none : toggle);
      if (viewer.getBoundingClientRect().bottom < 80) viewer.scrollIntoView();
    });
  }

  const centre = by("centre"), width = by("width"), opacity = by("opacity");
  const functions = document.querySelectorAll("#window feComponentTransfer > *");
  const look = () => {
    const slope = 256 / Number(width.value);
    const intercept = 0.5 - slope * (Number(centre.value) / 255);
    const plain = Number(width.value) === 256 && Number(centre.value) === 128;
    for (const each of functions) {
      each.setAttribute("slope", slope);
      each.setAttribute("intercept", intercept);
    }
    picture.style.filter = plain ? "" : "url(#window)";
    if (opacity) heat.style.opacity = Number(opacity.value) / 100;
  };
  for (const each of [centre, width, opacity]) if (each) each.addEventListener("input", look);

  let zoom = 1;
  const MOST = 8, STEP = 1.25;
  const to = (wanted, x = 0.5, y = 0.5) => {
    const before = zoom;
    zoom = Math.min(MOST, Math.max(1, wanted));
    const left = (viewer.scrollLeft + x * viewer.clientWidth) / before * zoom;
    const top = (viewer.scrollTop + y * viewer.clientHeight) / before * zoom;
    stage.style.width = `${100 * zoom}%`;
    viewer.scrollLeft = left - x * viewer.clientWidth;
    viewer.scrollTop = top - y * viewer.clientHeight;
    by("zoom").textContent = `${Math.round(100 * zoom)} %`;
    if (zoom > 1.5 && picture.dataset.full) {
      picture.src = picture.dataset.full;
      delete picture.dataset.full;
    }
  };
  by("zoom-in").addEventListener("click", () => to(zoom * STEP));
  by("zoom-out").addEventListener("click", () => to(zoom / STEP));
  by("zoom-fit").addEventListener("click", () => to(1));
  by("view-reset").addEventListener("click", () => {
    for (const each of [centre, width, opacity]) if (each) each.value = each.defaultValue;
    look();
    to(1);
  });
  viewer.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") to(zoom * STEP);
    else if (event.key === "-") to(zoom / STEP);
    else if (event.key === "0") to(1);
    else return;
    event.preventDefault();
  });
  viewer.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const place = viewer.getBoundingClientRect();
    to(zoom * (event.deltaY < 0 ? STEP : 1 / STEP),
      (event.clientX - place.left) / place.width, (event.clientY - place.top) / place.height);
  }, {passive: false});
  let drag = null;
  viewer.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    drag = [event.clientX + viewer.scrollLeft, event.clientY + viewer.scrollTop];
  });
  addEventListener("pointermove", (event) => {
    if (!drag) return;
    viewer.classList.add("dragged");
    viewer.scrollLeft = drag[0] - event.clientX;
    viewer.scrollTop = drag[1] - event.clientY;
  });
  addEventListener("pointerup", () => { drag = null; viewer.classList.remove("dragged"); });
  picture.addEventListener("dragstart", (event) => event.preventDefault());
  addEventListener("pageshow", look);
}

// "None of these" and a finding exclude each other.
const nothing = document.querySelector("input[name=nothing]");
if (nothing) {
  const labels = [...document.querySelectorAll("input[name=label]")];
  nothing.addEventListener("change", () => { if (nothing.checked) for (const each of labels) each.checked = false; });
  for (const each of labels) each.addEventListener("change", () => { if (each.checked) nothing.checked = false; });
}
