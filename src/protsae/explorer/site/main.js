const run = document.documentElement.dataset.run;

globalThis.protsaeData = (from, name, value) => {
  if (from !== run) throw new Error(`data of run ${from}`);
  const line = document.createElement("p");
  line.textContent = `${name}: ${JSON.stringify(value.counts)}`;
  document.getElementById("main").append(line);
};

const script = document.createElement("script");
script.src = `data/${run}/index.js`;
document.head.append(script);
