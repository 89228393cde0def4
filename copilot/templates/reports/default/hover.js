(function () {
  "use strict";
  function element(kind, parent) {
    var made = document.createElement("div");
    made.className = kind;
    parent.appendChild(made);
    return made;
  }
  document.querySelectorAll("svg[data-hover]").forEach(function (chart) {
    var data = JSON.parse(chart.dataset.hover), rows = data.rows, at = -1;
    if (!rows.length) { return; }
    var layer = element("hover", chart.parentNode), line = element("rule", layer), note = element("tip", layer);
    var dots = ["train", "val"].map(function (side) { return element("dot " + side, layer); });
    line.style.top = data.top * 100 + "%";
    line.style.bottom = (1 - data.base) * 100 + "%";
    layer.tabIndex = 0;
    layer.setAttribute("role", "group");
    layer.setAttribute("aria-label", "Values by epoch: use the arrow keys");
    note.setAttribute("aria-live", "polite");
    function say(name, side, text) {
      var row = element("said " + side, note);
      element("name", row).textContent = name;
      element("text", row).textContent = text;
    }
    function show(index) {
      at = Math.max(0, Math.min(rows.length - 1, index));
      var row = rows[at], left = row[0] * 100 + "%";
      line.style.left = left;
      note.textContent = "";
      say("epoch", "", row[1]);
      ["training", "validation"].forEach(function (name, side) {
        var value = row[2 + side];
        dots[side].hidden = !value;
        if (!value) { return; }
        dots[side].style.left = left;
        dots[side].style.top = value[0] * 100 + "%";
        say(name, ["train", "val"][side], value[1]);
      });
      if (row[4]) { say("gap", "", row[4]); }
      note.style.left = row[0] > 0.6 ? "auto" : left;
      note.style.right = row[0] > 0.6 ? (1 - row[0]) * 100 + "%" : "auto";
      note.style.top = data.top * 100 + "%";
      layer.classList.add("on");
    }
    function hide() { layer.classList.remove("on"); }
    layer.addEventListener("pointermove", function (event) {
      var box = layer.getBoundingClientRect(), place = (event.clientX - box.left) / box.width, best = 0;
      rows.forEach(function (row, i) {
        if (Math.abs(row[0] - place) < Math.abs(rows[best][0] - place)) { best = i; }
      });
      show(best);
    });
    layer.addEventListener("pointerleave", hide);
    layer.addEventListener("blur", hide);
    layer.addEventListener("keydown", function (event) {
      var step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) { show(at < 0 ? 0 : at + step); event.preventDefault(); }
      if (event.key === "Escape") { hide(); }
    });
  });
})();
