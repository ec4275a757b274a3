(function () {
  "use strict";
  var root = document.documentElement, tip = document.getElementById("tip");
  var theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", function () {
    var dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  // Tables: a heading sorts by the number in a cell where there is one, gaps last.
  function value(cell) {
    var text = cell.dataset.v === undefined ? cell.textContent.replace(/,/g, "") : cell.dataset.v;
    return text === "" || text === "-" ? null : isNaN(text) ? text : Number(text);
  }
  function order(x, y) {
    return typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
  }
  document.querySelectorAll("table.sort").forEach(function (table) {
    table.querySelectorAll("thead th").forEach(function (th, column) {
      var label = document.createElement("button");
      label.type = "button";
      label.textContent = th.textContent;
      th.replaceChildren(label);
      label.addEventListener("click", function () {
        var up = th.getAttribute("aria-sort") !== "ascending", body = table.tBodies[0];
        table.querySelectorAll("th").forEach(function (other) { other.removeAttribute("aria-sort"); });
        th.setAttribute("aria-sort", up ? "ascending" : "descending");
        var rows = Array.from(body.rows, function (row) { return [value(row.cells[column]), row]; });
        rows.sort(function (a, b) {
          if (a[0] === null || b[0] === null) return (a[0] === null) - (b[0] === null);
          return up ? order(a[0], b[0]) : order(b[0], a[0]);
        });
        body.append.apply(body, rows.map(function (pair) { return pair[1]; }));
      });
    });
  });
  document.querySelectorAll(".filter").forEach(function (label) {
    label.hidden = false;
    label.querySelector("input").addEventListener("input", function (event) {
      var words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      label.closest("section").querySelectorAll("table").forEach(function (table) {
        var rows = Array.from(table.tBodies[0].rows), kept = 0;
        rows.forEach(function (row) {
          var text = row.textContent.toLowerCase();
          row.hidden = !words.every(function (word) { return text.includes(word); });
          kept += !row.hidden;
        });
        var details = table.closest("details");
        if (details) details.querySelector(".count").textContent = words.length ? "(" + kept + " of " + rows.length + " rows)" : "";
      });
    });
  });

  // Figures: the row of the data whose mark is under the pointer, or that the arrow keys have reached.
  var UNITS = [["_macs_per_byte", "MAC/byte"], ["macs_per_s", "MAC/s"], ["_bytes", "B"], ["bytes", "B"], ["_macs", "MAC"],
    ["macs", "MAC"], ["_s", "s"], ["_j", "J"], ["seconds", "s"]];
  var SI = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "u"], [1e-9, "n"], [1e-12, "p"]];
  function said(name, text) {
    if (text === "" || isNaN(text)) return text === "" ? "" : name.replace(/_/g, " ") + ": " + text;
    var number = Number(text), unit = UNITS.find(function (pair) { return name.endsWith(pair[0]); });
    if (name === "share" || name === "utilization") return name + ": " + (100 * number).toPrecision(3) + " %";
    if (!unit) return name.replace(/_/g, " ") + ": " + (Number.isInteger(number) ? number : Number(number.toPrecision(4)));
    var scale = SI.find(function (pair) { return Math.abs(number) >= pair[0]; }) || [1, ""];
    var short = name.slice(0, name.length - unit[0].length).replace(/_/g, " ") || unit[0].replace(/_/g, " ").trim();
    if (name === "latency_s") short = "time";
    if (name === "macs_per_s") short = "rate";
    return short + ": " + Number((number / scale[0]).toPrecision(4)) + " " + scale[1] + unit[1];
  }
  function parse(text) {
    return text.trim().split("\n").map(function (line) {
      return Array.from(line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g), function (m) {
        return m[1].startsWith('"') ? m[1].slice(1, -1).replace(/""/g, '"') : m[1];
      });
    });
  }
  // A page that scrolls under a pointer at rest sends moves too; they must not undo what the keys have reached.
  var last = {}, moved = false;
  // All figures share one tip; whose it is, as the function that takes it away.
  var owner = null;
  document.addEventListener("pointermove", function (event) {
    moved = event.clientX !== last.x || event.clientY !== last.y;
    last = { x: event.clientX, y: event.clientY };
  }, true);
  document.querySelectorAll("figure[data-marks]").forEach(function (figure) {
    var plot = figure.querySelector(".plot"), svg = figure.querySelector("svg"), rows = null, at = -1, pointed = false;
    var marks = figure.dataset.marks.split(";").map(function (text) {
      var n = text.split(" ").map(Number);
      return { row: n[0], x: n[1], y: n[2], w: n[3], h: n[4] };
    });
    var here = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    here.setAttribute("class", "here");
    function pick(x, y) {
      var best = -1, least = Infinity;
      marks.forEach(function (m, index) {
        var dx = Math.max(m.x - x, 0, x - m.x - m.w), dy = Math.max(m.y - y, 0, y - m.y - m.h);
        var far = Math.hypot(dx, dy), score = far * 1e6 + m.w * m.h;
        if (far <= 8 && score < least) { least = score; best = index; }
      });
      return best;
    }
    function show(index, x, y) {
      if (!rows) {
        var link = figure.querySelector("figcaption a").href;
        rows = parse(decodeURIComponent(link.slice(link.indexOf(",") + 1)));
      }
      var m = marks[index], same = marks.filter(function (o) { return o.x === m.x && o.y === m.y && !m.w && !o.w; }).length;
      var lines = rows[0].map(function (name, column) { return said(name, rows[m.row + 1][column] || ""); });
      if (same > 1) lines.push("and " + (same - 1) + " more at this place");
      tip.textContent = lines.filter(Boolean).join("\n");
      if (owner && owner !== hide) owner();
      owner = hide;
      tip.hidden = false;
      here.setAttribute("x", m.x - 2); here.setAttribute("y", m.y - 2);
      here.setAttribute("width", m.w + 4); here.setAttribute("height", m.h + 4);
      svg.appendChild(here);
      at = index;
      pointed = x !== undefined;
      if (!pointed) {
        var box = here.getBoundingClientRect();
        x = box.right; y = box.top;
      }
      tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 4)) + "px";
      tip.style.top = Math.max(4, Math.min(y + 14, innerHeight - tip.offsetHeight - 4)) + "px";
    }
    function hide() {
      if (owner === hide) { tip.hidden = true; owner = null; }
      here.remove();
      at = -1;
    }
    function point(event) {
      var to = svg.getScreenCTM();
      if (!to || (event.type === "pointermove" && !moved)) return;
      var place = new DOMPoint(event.clientX, event.clientY).matrixTransform(to.inverse());
      var index = pick(place.x, place.y);
      if (index < 0) hide(); else show(index, event.clientX, event.clientY);
    }
    plot.addEventListener("pointermove", point);
    plot.addEventListener("pointerdown", point);
    plot.addEventListener("pointerleave", function () { if (pointed) hide(); });
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", function (event) {
      var step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (event.key === "Escape") return hide();
      if (event.key === "Home") show(0);
      else if (event.key === "End") show(marks.length - 1);
      else if (step) show(at < 0 ? (step > 0 ? 0 : marks.length - 1) : (at + step + marks.length) % marks.length);
      else return;
      event.preventDefault();
    });
  });
})();
