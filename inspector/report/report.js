// The timeline's zoom, and two buttons. Without scripts the page shows the same, unzoomed.
"use strict";
(() => {
  const report = document.getElementById("report");
  const text = () => report.textContent.trim() + "\n";
  document.getElementById("copy").onclick = async (event) => {
    const button = event.target;
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser forbids it; save it instead";
    }
  };
  document.getElementById("save").onclick = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text()], { type: "application/json" }));
    link.download = "report.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const drawing = document.getElementById("picture");
  if (!drawing) return;

  const WIDTH = 1000, height = drawing.viewBox.baseVal.height;
  const begin = Number(drawing.dataset.begin), end = Number(drawing.dataset.end);
  const marks = [...drawing.querySelectorAll("[data-x]")];
  const bars = [...drawing.querySelectorAll("rect")].map((bar) => ({
    bar, x: Number(bar.getAttribute("x")), width: Number(bar.getAttribute("width")),
  }));
  const grid = drawing.querySelector(".axis"), ticks = document.getElementById("ticks");
  const what = document.getElementById("what");
  let zoom = 1, left = 0;
  grid.remove();

  const round = (seconds) => {
    const unit = Math.pow(10, Math.floor(Math.log10(seconds)));
    return [1, 2, 5, 10].map((n) => n * unit).find((step) => step >= seconds);
  };
  const say = (seconds, step) =>
    step >= 1 ? seconds.toFixed(0) + " s"
      : step >= 0.001 ? (seconds * 1000).toFixed(0) + " ms"
      : (seconds * 1e6).toFixed(0) + " µs";

  const label = (name, attributes, words) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (words) made.textContent = words;
    ticks.append(made);
  };
  // One unit is one pixel from here on, so that a phone shows lanes and letters as large as a desk does.
  const draw = () => {
    const pixels = Math.max(1, drawing.clientWidth);
    drawing.setAttribute("viewBox", `0 0 ${pixels} ${height}`);
    left = Math.min(Math.max(left, 0), WIDTH - WIDTH / zoom);
    const unit = (zoom * pixels) / WIDTH, place = (x) => (x - left) * unit;
    for (const { bar, x, width } of bars) {
      bar.setAttribute("x", place(x));
      bar.setAttribute("width", Math.max(1, width * unit));
    }
    for (const mark of marks) {
      const x = place(Number(mark.dataset.x));
      if (mark.tagName === "text") {
        const room = mark.getComputedTextLength();
        mark.setAttribute("x", Math.max(2, Math.min(x, pixels - room - 4)));
      } else {
        const y = /[ ,]([\d.]+)\)/.exec(mark.getAttribute("transform"))[1];
        mark.setAttribute("transform", `translate(${x} ${y})`);
      }
    }
    ticks.replaceChildren();
    const span = (end - begin) / zoom, from = begin + ((end - begin) * left) / WIDTH;
    const step = round((span * 95) / pixels);
    for (let at = Math.ceil(from / step) * step; at < from + span; at += step) {
      const x = ((at - from) / span) * pixels;
      label("line", { x1: x, x2: x, y1: 20, y2: 10000, class: "grid" });
      label("text", { x: x + 3, y: 14, class: "tick" }, say(at, step));
    }
  };

  const at = (event) => {
    const box = drawing.getBoundingClientRect();
    return left + (((event.clientX - box.left) / box.width) * WIDTH) / zoom;
  };
  const scale = (factor, centre) => {
    const before = zoom;
    zoom = Math.min(Math.max(zoom * factor, 1), 100000);
    left = centre - ((centre - left) * before) / zoom;
    draw();
  };
  drawing.addEventListener("wheel", (event) => {
    if (zoom === 1 && event.deltaY > 0) return; // all is shown: the page scrolls on
    event.preventDefault();
    scale(Math.exp(-event.deltaY * 0.0022), at(event));
  }, { passive: false });
  const all = () => { zoom = 1; left = 0; draw(); };
  drawing.addEventListener("dblclick", all);
  for (const button of document.querySelectorAll("[data-zoom], [data-move]"))
    button.onclick = () => {
      const { zoom: factor, move } = button.dataset, shown = WIDTH / zoom;
      if (factor === "0") return all();
      if (factor) return scale(Number(factor), chosen ? middle(chosen) : left + shown / 2);
      left += shown * Number(move);
      draw();
    };

  const fingers = new Map();
  const apart = () => {
    const [a, b] = [...fingers.values()];
    return Math.abs(a.clientX - b.clientX) || 1;
  };
  drawing.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    drawing.setPointerCapture(event.pointerId);
  });
  drawing.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return tell(event.target);
    if (fingers.size === 2) {
      const was = apart();
      fingers.set(event.pointerId, event);
      return scale(apart() / was, at(event));
    }
    left -= (((event.clientX - before.clientX) / drawing.clientWidth) * WIDTH) / zoom;
    fingers.set(event.pointerId, event);
    draw();
  });
  for (const over of ["pointerup", "pointercancel"])
    drawing.addEventListener(over, (event) => {
      fingers.delete(event.pointerId);
      tell(document.elementFromPoint(event.clientX, event.clientY));
    });

  let chosen = null;
  const middle = (mark) => {
    const box = mark.getBoundingClientRect();
    return at({ clientX: box.left + Math.min(box.width, drawing.clientWidth) / 2 });
  };
  const tell = (mark) => {
    if (!mark || !mark.dataset || !mark.dataset.say || mark === chosen) return;
    if (chosen) chosen.classList.remove("chosen");
    chosen = mark;
    mark.classList.add("chosen");
    what.textContent = mark.dataset.say;
  };
  addEventListener("resize", draw);
  draw();
})();
