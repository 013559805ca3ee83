// Events a second: a number over the last two seconds, a line over the last minute.

const ticksPerSecond = 2;
const averaged = 4; // ticks
const seconds = 60;

export class Meter {
  #line;
  #output;
  #ticks = new Array(seconds * ticksPerSecond).fill(0); // events in each tick, the newest last
  #count = 0;

  constructor(line, output) {
    this.#line = line;
    this.#output = output;
    this.#draw();
    setInterval(() => this.#tick(), 1000 / ticksPerSecond);
  }

  add() {
    this.#count++;
  }

  #tick() {
    this.#ticks.push(this.#count);
    this.#ticks.shift();
    this.#count = 0;
    const sum = this.#ticks.slice(-averaged).reduce((a, b) => a + b, 0);
    const rate = (sum * ticksPerSecond) / averaged;
    this.#output.textContent = `${rate < 10 && rate % 1 ? rate.toFixed(1) : Math.round(rate).toLocaleString("en")}/s`;
    this.#draw();
  }

  // The line's box is 60 wide, one a second, and 16 high.
  #draw() {
    const highest = Math.max(1, ...this.#ticks);
    const points = this.#ticks.map((count, i) => `${(i + 1) / ticksPerSecond},${15 - (14 * count) / highest}`);
    this.#line.setAttribute("points", points.join(" "));
  }
}
