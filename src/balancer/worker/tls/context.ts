/** An SSL_CTX: some hundred kilobytes of OpenSSL's own, more with the certificates that a system trusts. */
import { type Handle, openssl } from "../../../os/openssl.ts";

interface Owned {
  handle: Handle | null;
}

/** A collector that sees a small object only is in no hurry: this is for what nobody has released. */
const forgotten = new FinalizationRegistry<Owned>((owned) => giveBack(owned));

function giveBack(owned: Owned): void {
  if (owned.handle !== null) openssl().SSL_CTX_free(owned.handle);
  owned.handle = null;
}

/**
 * One context of a plan. A reload that replaces it releases it at once; who goes on with the plan of before, and needs it
 * still, has it made again. Connections hold theirs by themselves.
 */
export abstract class TlsContext {
  readonly #owned: Owned = { handle: null };

  constructor() {
    forgotten.register(this, this.#owned);
  }

  /** Sets up a new SSL_CTX. Throws HoldfastError `tls/unusable`. */
  protected abstract configure(handle: Handle): void;
  /** OpenSSL's methods for one side of a connection. */
  protected abstract method(): Handle;

  /** Makes it. Throws HoldfastError `tls/unusable`; what was made once can be made again. */
  protected make(): Handle {
    const ssl = openssl();
    const handle = ssl.SSL_CTX_new(this.method());
    if (handle === null) throw new Error("OpenSSL has no memory");
    this.#owned.handle = handle;
    try {
      this.configure(handle);
    } catch (error) {
      this.release();
      throw error;
    }
    return handle;
  }

  /** Is there one now? */
  get isMade(): boolean {
    return this.#owned.handle !== null;
  }

  /** Gives it back to OpenSSL. */
  release(): void {
    giveBack(this.#owned);
  }

  /** A new SSL. It holds the context by itself. */
  protected newSsl(): Handle {
    const connection = openssl().SSL_new(this.#owned.handle ?? this.make());
    if (connection === null) throw new Error("OpenSSL has no memory");
    return connection;
  }
}

/** Releases what a reload has replaced. */
export function releaseReplaced<T extends TlsContext>(old: ReadonlyMap<string, T>, now: ReadonlyMap<string, T>): void {
  for (const [key, context] of old) if (now.get(key) !== context) context.release();
}
