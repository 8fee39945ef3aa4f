/**
 * The one catalogue of the mistakes and failures that a person is told about. Each code is a heading in `docs/errors.md`,
 * which `bun run src/config/reference.ts --write` generates from here. Imports nothing.
 */

/** What a code means. */
export interface ErrorEntry {
  readonly title: string;
  /** HTTP status where the admin API answers with it. */
  readonly status?: number;
  /** Exit code where the command line ends with it; 1 unless said. */
  readonly exit?: number;
  /** What the reader can do about it. */
  readonly whatToDo: string;
}

const catalogue = {
  "config/unreadable-file": {
    title: "A file cannot be read",
    whatToDo: "Check the path, and that the user who runs Holdfast may read it.",
  },
  "config/too-large": {
    title: "The file is too large",
    whatToDo:
      "A configuration has at most 1 MiB, 100,000 values (what an alias stands for counts each time) and 32 levels; a file that it names has at most 1 MiB.",
  },
  "config/bad-yaml": {
    title: "The text is not YAML",
    whatToDo:
      "Mend the place that is shown first: what follows it may only be misread because of it. Indent with spaces, and quote values that begin with `[`, `{`, `*`, `&`, `!`, `%`, `@` or a backtick.",
  },
  "config/duplicate-key": {
    title: "A key is written twice",
    whatToDo: "Keep one of the two: it is not clear which was meant.",
  },
  "config/unknown-alias": {
    title: "An alias without an anchor",
    whatToDo: "`*name` stands for the value after `&name`, which must come earlier in the file.",
  },
  "config/circular-alias": {
    title: "A value that contains itself",
    whatToDo: "An alias cannot stand inside the value that it stands for.",
  },
  "config/bad-merge": {
    title: "A merge of something that is not a mapping",
    whatToDo: "`<<` takes an alias of a mapping, or a list of them.",
  },
  "config/unknown-key": {
    title: "A key that does not exist here",
    whatToDo: "Compare with the configuration reference: the key is misspelt, or belongs elsewhere.",
  },
  "config/missing-key": {
    title: "A key that is needed is missing",
    whatToDo: "Add the key. The configuration reference has its type and an example.",
  },
  "config/wrong-type": {
    title: "A value of the wrong type",
    whatToDo: "Write what is expected: text, a number, a list or a mapping.",
  },
  "config/out-of-range": {
    title: "A value outside its bounds",
    whatToDo: "Choose a value within the bounds that are shown.",
  },
  "config/bad-choice": {
    title: "A word that is not one of the choices",
    whatToDo: "Write one of the words that are shown.",
  },
  "config/not-available": {
    title: "Not available in this version",
    whatToDo: "Holdfast has a plan for it and this version does not have it. Leave it out.",
  },
  "config/bad-name": {
    title: "A name that cannot be used",
    whatToDo:
      "Names of services, pools and servers have 1 to 63 letters, digits, dots, dashes and underscores; the first is a letter or digit, and they are not only digits.",
  },
  "config/bad-duration": {
    title: "Not a duration",
    whatToDo: "Write a number and its unit: `250ms`, `2s`, `10m`, `8h`, `7d`.",
  },
  "config/bad-rate": {
    title: "Not a rate",
    whatToDo: "Write how many in which time: `50/s`, `600/m`, `1000/h`.",
  },
  "config/bad-address": {
    title: "Not an address",
    whatToDo:
      "Write `10.0.0.1:3389`, `[::1]:3389`, or for every address of the machine `:3389`. A server may have a name: `rds1.example.test:3389`. A service cannot listen on a name.",
  },
  "config/bad-network": {
    title: "Not a network",
    whatToDo: "Write `10.0.0.0/8`, `fd00::/8` or one address. The bits behind the prefix must be 0.",
  },
  "config/bad-status": {
    title: "Not an HTTP status",
    whatToDo: "Write `200`, a range such as `200-399`, or a list of them.",
  },
  "config/bad-size": {
    title: "Not a size",
    whatToDo: "Write a number and its unit: `512B`, `16KiB`, `1MiB`.",
  },
  "config/bad-share": {
    title: "Not a share",
    whatToDo: "Write `1%` to `100%`.",
  },
  "config/bad-host": {
    title: "Not a host",
    whatToDo:
      "Write `www.example.test`, or `*.example.test` for every host below it: without a port, and names with letters of other scripts as `xn--`.",
  },
  "config/bad-field": {
    title: "Not the name or value of a header field",
    whatToDo: "A name has letters, digits and dashes; a value is one line of visible ASCII characters.",
  },
  "config/bad-redirect": {
    title: "Not somewhere to redirect to",
    whatToDo: "Write `https`, `http`, or a URL such as `https://www.example.test/start`.",
  },
  "config/bad-certificate": {
    title: "A certificate that cannot be used",
    whatToDo:
      "The file must be PEM, with the server's own certificate first and those between it and the root behind it.",
  },
  "config/bad-key": {
    title: "A private key that cannot be used",
    whatToDo:
      "The file must be PEM without a password, and the key that of the certificate beside it. A key of session tickets has 80 bytes.",
  },
  "config/no-target": {
    title: "A route that leads nowhere",
    whatToDo: "Give it a `pool`; or, on a service with `protocol: http`, a `redirect` or an answer (`respond`).",
  },
  "config/nothing-to-run": {
    title: "The file asks for nothing",
    whatToDo: "Add a service and a pool; or, for `holdfast agent`, an agent.",
  },
  "config/no-pool": {
    title: "A service without a pool",
    whatToDo: "Say where its clients go, with `pool` or with `routes`.",
  },
  "config/unknown-pool": {
    title: "A pool that the file does not have",
    whatToDo: "Name a pool under `pools`, or add this one.",
  },
  "config/unknown-server": {
    title: "A server that the pool does not have",
    whatToDo: "A route's `server` is a name under the `servers` of its pool.",
  },
  "config/no-servers": {
    title: "A pool without servers",
    whatToDo: "Add a server to the pool, or remove the pool and what names it.",
  },
  "config/too-many-servers": {
    title: "More servers than there is room for",
    whatToDo: "A balancer has room for 4,096 servers in all its pools.",
  },
  "config/address-taken": {
    title: "An address that is listened on twice",
    whatToDo: "Give each its own address or port. An address without a host covers the others with its port.",
  },
  "config/duplicate-route": {
    title: "Two routes for the same clients",
    whatToDo: "Keep one: the second can never be reached.",
  },
  "config/conflict": {
    title: "Two keys that do not go together",
    whatToDo: "Read the message: leave one of them out, or add what makes sense of both.",
  },
  "config/unused-pool": {
    title: "A pool that no service uses",
    whatToDo: "Name it in a service, or remove it. Its servers are checked all the same.",
  },
  "config/no-persistence": {
    title: "Remote desktops without persistence",
    whatToDo: "Add `persistence: { by: [token, user, source] }`, or users who come back land on any server.",
  },
  "config/never-recognised": {
    title: "A way to recognise clients that never applies",
    whatToDo:
      "`token` and `user` are read by services with `protocol: rdp`, `cookie`, `header`, `query` and `host` by those with `protocol: http`. Add `source`, which always applies.",
  },
  "config/short-lifetime": {
    title: "A lifetime shorter than the idle time",
    whatToDo: "Make `lifetime` the longer one: as it is, `idle` has no effect.",
  },
  "config/slow-check": {
    title: "A check that may take longer than its interval",
    whatToDo: "Make `timeout` shorter than `every`: a dead server is found later than `every` x `fall`.",
  },
  "config/no-agent": {
    title: "least-load without an agent",
    whatToDo: "Add an `agent` to the pool: without one, all loads are unknown and connections decide.",
  },
  "config/same-server": {
    title: "Two servers of a pool with one address",
    whatToDo: "Give each its own address: as it is, the machine gets two shares.",
  },
  "config/agent-port": {
    title: "An agent on the port of the server itself",
    whatToDo: "The agent is another program than the server: give `agent` its port.",
  },
  "config/loop": {
    title: "A service whose server is the service",
    whatToDo:
      "The server's address is one that the service listens on: connections would go round until a limit ends them.",
  },

  "config/certificate-ends": {
    title: "A certificate that has ended or ends soon",
    whatToDo: "Replace its files and reload: connections go on, new ones get the new certificate.",
  },
  "config/uncovered-host": {
    title: "A host that no certificate is for",
    whatToDo: "Add a certificate with that name, or a wildcard above it: browsers refuse the connection otherwise.",
  },
  "config/stricter-control": {
    title: "Control connections with stricter TLS than the connections they belong to",
    whatToDo:
      "Give both services the same `tls`: a client that could connect to the first cannot reach its own server through the other.",
  },
  "config/insecure-cookie": {
    title: "A cookie that browsers refuse",
    whatToDo: "Browsers accept `same-site: none` only over TLS. Add `tls` to the service, or use `lax`.",
  },
  "config/believed-addresses": {
    title: "Clients can say who they are",
    whatToDo:
      "With `forwarded: off`, servers see what clients claim. Use `replace`, or have the servers ignore the fields.",
  },
  "config/plain-check": {
    title: "A check without TLS of servers that speak it",
    whatToDo: "Use `check: https`, or give the check the `port` of a page without TLS.",
  },

  "cli/usage": {
    title: "Wrong usage",
    exit: 2,
    whatToDo: "`holdfast help` and `holdfast help COMMAND` show what can be typed.",
  },
  "cli/not-running": {
    title: "Nothing is running there",
    exit: 3,
    whatToDo: "Start it with `holdfast up -c FILE`; or name its data folder with `--data`.",
  },
  "cli/not-allowed": {
    title: "Not allowed",
    exit: 4,
    whatToDo: "The socket in the data folder belongs to another user or group: use one of theirs.",
  },
  "cli/time-up": {
    title: "The time was up with something left",
    exit: 5,
    whatToDo: "Run the command again to go on waiting.",
  },
  "cli/unusable-file": {
    title: "The file cannot be used",
    exit: 78,
    whatToDo: "`holdfast check -c FILE` shows every mistake.",
  },
  "demo/failed": {
    title: "The demo could not go on",
    whatToDo:
      "It needs 127.0.0.0/8 and a folder for temporary files (TMPDIR), and nothing else. Run it again; everything that it started has been ended.",
  },

  "api/bad-request": {
    title: "The request is wrong",
    status: 400,
    whatToDo: "`errors` in the answer names each wrong part.",
  },
  "api/not-found": {
    title: "There is no such thing",
    status: 404,
    whatToDo: "Check the name; lists show what exists.",
  },
  "api/conflict": {
    title: "Not possible as things are",
    status: 409,
    whatToDo: "`detail` in the answer says what is in the way.",
  },
  "api/last-usable-server": {
    title: "No server would be left for new users",
    status: 409,
    whatToDo:
      "Bring another server of the pool back first; or confirm, with `--yes`, that new users are to be refused.",
  },
  "api/token-not-followed": {
    title: "A routing token that its pool would not follow",
    status: 409,
    whatToDo:
      "The pool needs `token` in `by` of its `persistence`, and follows a token no longer than its `lifetime`, whatever the token says. Change that first, or ask for less.",
  },
  "api/old-cursor": {
    title: "A page that is no longer there",
    status: 410,
    whatToDo: "The list has changed too much since the page before. Begin again without a cursor.",
  },
  "api/reload-refused": {
    title: "The file was not applied",
    status: 422,
    whatToDo: "Mend what `errors` names and reload again. The running configuration stays.",
  },
  "api/socket": {
    title: "The admin socket cannot be opened",
    whatToDo: "Holdfast may be running there already: `holdfast status` says so. Otherwise choose another data folder.",
  },
  "api/internal": {
    title: "A fault of Holdfast",
    status: 500,
    whatToDo: "Please report it with the lines of the log that carry the same `instance`.",
  },
  "config/listen-name": {
    title: "A service listens on a name",
    whatToDo: "Write an address of this machine, or nothing for every address: `:3389`.",
  },
  "config/too-many": {
    title: "More names than the memory has places for",
    whatToDo:
      "A process has room for 2,048 servers, 128 services and 256 pools, names that a reload took away included. Restart it.",
  },
  "up/listen": {
    title: "An address cannot be listened on",
    whatToDo: "End the other program, or choose another address or port.",
  },
  "up/key-file": {
    title: "A key cannot be used",
    whatToDo:
      "Check that the file can be read and is whole. Deleting a key of the data folder makes a new one; what it signed or remembered is then unknown.",
  },
  "tls/no-openssl": {
    title: "OpenSSL 3 is not installed",
    whatToDo:
      "Install it (Debian: `apt install libssl3`): services and pools with `tls` need it. Everything else runs without.",
  },
  "tls/unusable": {
    title: "OpenSSL refuses a certificate, a key or a setting of TLS",
    whatToDo:
      "The message says what it is about and has OpenSSL's reason. A key that is too short, or a name of a cipher that it does not know, are the usual ones.",
  },
  "up/already-running": {
    title: "Holdfast is running already",
    whatToDo:
      "Use `holdfast reload` for another configuration, `holdfast up --takeover` for another program, or another data folder.",
  },
  "up/no-workers": {
    title: "The workers did not start",
    whatToDo: "The log has the reason. Nothing was changed.",
  },
  "up/takeover": {
    title: "The running process could not be taken over",
    whatToDo: "It goes on as before. The message says what went wrong; a restart is the other way.",
  },
} as const satisfies Record<string, ErrorEntry>;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof catalogue;

/** Every code with its meaning, in the order of `docs/errors.md`. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorEntry>> = catalogue;

/** Something that an operator must act on. Thrown by config, store, api and cli; never on the data plane. */
export class HoldfastError extends Error {
  override readonly name = "HoldfastError";
  readonly code: ErrorCode;
  /** What to do about it, ready to paste where it is a command. */
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }

  /** HTTP status for the admin API. */
  get status(): number {
    return ERRORS[this.code].status ?? 500;
  }

  /** Exit code for the command line. */
  get exitCode(): number {
    return ERRORS[this.code].exit ?? 1;
  }
}

/** An invariant of ours that does not hold. Ends the worker, loudly. */
export class Bug extends Error {
  override readonly name = "Bug";
}

/** Says that an invariant of ours does not hold: never for what a peer sent or the world did. */
export function bug(what: string): never {
  throw new Bug(what);
}
