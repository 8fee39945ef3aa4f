/** `tls` of services and pools, and the keys of session tickets. */
import { z } from "zod";
import { formatAddress, parseAddress } from "../protocols/address.ts";
import { ALPN, TLS_VERSIONS } from "./choices.ts";
import { choice, file, oneOrMany, readAs, section, text, yesNo } from "./section.ts";
import { fieldName, host } from "./web.ts";

/** An address without a port, as text in its shortest form. */
const ipAddress = readAs<string>(
  {
    title: "an address",
    code: "config/bad-address",
    expected: "an address without a port, such as `10.0.0.1` or `fd00::1`",
  },
  (text) => {
    const bytes = parseAddress(text);
    return bytes === undefined ? { hint: undefined } : formatAddress(bytes);
  },
);

const certificate = section("a certificate", {
  cert: file.describe(
    "PEM: the certificate, then those between it and its root. Clients get it for the names that it has, `*.` included.",
  ),
  key: file.optional().describe("PEM: its private key, without a password. Default: it is in the file of `cert`."),
  address: ipAddress
    .optional()
    .describe("Also for clients that name no host (SNI) and have dialled this address of the service."),
});

const minimum = choice("a version of TLS", TLS_VERSIONS).prefault("TLSv1.2");

const ciphers = {
  minimum: minimum.describe("The oldest version that is spoken."),
  ciphers: text("a list of ciphers", 4_096)
    .optional()
    .describe("For TLS 1.2, as OpenSSL writes them. Default: ECDHE with AES-GCM or ChaCha20."),
  "cipher-suites": text("a list of cipher suites", 4_096)
    .optional()
    .describe("For TLS 1.3, as OpenSSL writes them. Default: AES-GCM and ChaCha20."),
};

/** TLS with clients. */
export const serviceTls = section("`tls`", {
  certificates: z
    .array(certificate)
    .min(1)
    .max(1_000)
    .meta({ title: "a list of certificates" })
    .describe(
      "The most exact name wins. The first is for clients that name no host, or one that no certificate has. Read again at each reload.",
    ),
  ...ciphers,
  alpn: oneOrMany(choice("a protocol", ALPN), ALPN.length)
    .optional()
    .describe(
      "What is offered to clients (ALPN), best first. Only for `tcp`; for `http` see `http2`. Default: nothing.",
    ),
  clients: section("`clients`", {
    ca: file.describe("PEM: who may sign the certificates of clients."),
    required: yesNo.prefault(true).describe("`false`: a client may also come without one."),
    header: fieldName
      .optional()
      .describe(
        "Tells servers about the client's certificate in this field, such as `Client-Cert`: its DER in base64 between colons (RFC 9440). One that a client sends is taken away. Only for `http`.",
      ),
  })
    .optional()
    .describe("Certificates of clients. Default: clients are not asked for one."),
});

/** TLS with servers, as a mapping. */
const serverTls = section("`tls`", {
  verify: yesNo
    .prefault(true)
    .describe(
      "Whether a server's certificate must be a valid one for `name`. `false` lets anybody in between be the server.",
    ),
  ca: file.optional().describe("PEM: who may sign the servers' certificates. Default: those that the system trusts."),
  name: host
    .refine(({ wildcard }) => !wildcard, { params: { message: "this is one name, which the certificate must have" } })
    .transform(({ name }) => name)
    .optional()
    .describe(
      "The name that is asked for (SNI) and that the certificate must have. Default: the host of the server's address.",
    ),
  ...ciphers,
  cert: file.optional().describe("PEM: the certificate that we show to servers. Default: none."),
  key: file.optional().describe("PEM: its key. Default: it is in the file of `cert`."),
});

/** TLS with servers: `true`, or a mapping. */
export const poolTls = z.union([yesNo, serverTls]).transform((value) => {
  if (value === false) return undefined;
  return value === true ? serverTls.parse({}) : value;
});

/** Keys of session tickets. */
export const tickets = section("`tickets`", {
  "key-file": oneOrMany(file, 8).describe(
    "Files of 80 random bytes, the same on every balancer that shares clients. The first makes new tickets, all are accepted: to change keys, put a new file in front and reload, and take the old one away a day later.",
  ),
});
