/** Health by hysteresis: a few bad results in a row take a server down, a few good ones bring it back. Pure. */
export type Health = "unknown" | "up" | "down";

/** Counts results in a row. Unknown until the first, which decides at once. */
export class RiseFall {
  #health: Health = "unknown";
  #against = 0;
  readonly #rise: number;
  readonly #fall: number;

  /** `rise` good results in a row bring it up, `fall` bad ones take it down; both at least 1. */
  constructor(rise: number, fall: number, health: Health = "unknown") {
    this.#rise = rise;
    this.#fall = fall;
    this.#health = health;
  }

  health(): Health {
    return this.#health;
  }

  /** Does the last result speak against the present health? The next one is wanted soon then. */
  wavering(): boolean {
    return this.#against > 0;
  }

  /** Takes one result; true if the health changed by it. */
  result(alive: boolean): boolean {
    if (this.#health === "unknown") return this.force(alive ? "up" : "down");
    if (alive === (this.#health === "up")) {
      this.#against = 0;
      return false;
    }
    this.#against++;
    return this.#against >= (alive ? this.#rise : this.#fall) && this.force(alive ? "up" : "down");
  }

  /** Something else decided; results are counted from none again. True if that was a change. */
  force(health: Health): boolean {
    const changed = health !== this.#health;
    this.#health = health;
    this.#against = 0;
    return changed;
  }
}
