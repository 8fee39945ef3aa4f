/** A file that the configuration names, and what it held when the configuration was read. */
import { createHash } from "node:crypto";

/** The largest file that is read: a bundle of every public root is a quarter of it. */
export const MAX_FILE = 1_048_576;

/**
 * Path and content. The content may be a private key, so it shows itself nowhere: printed, logged or compared as JSON, a
 * file is its path and the digest of its content.
 */
export class NamedFile {
  /** As it is written in the file; absolute once it has been read. */
  readonly path: string;
  readonly #content: Uint8Array;
  /** SHA-256 of the content, in hex: equal for the same content. */
  readonly digest: string;

  constructor(path: string, content: Uint8Array = new Uint8Array(0)) {
    this.path = path;
    this.#content = content;
    this.digest = createHash("sha256").update(content).digest("hex");
  }

  /** Nobody may write to it. */
  get bytes(): Uint8Array {
    return this.#content;
  }

  /** The content as UTF-8. */
  get text(): string {
    return new TextDecoder().decode(this.#content);
  }

  toJSON(): object {
    return { file: this.path, digest: this.digest };
  }
}
