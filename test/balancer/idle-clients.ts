/**
 * Thousands of clients in a process of their own. Each line on standard input is an order, answered by a line when it is
 * done: `open PORT COUNT`, `say TEXT` (everyone sends it and waits until it came back), `close`. A client that is refused,
 * ended or told something else ends the process.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Every address of 127.0.0.0/8 has ports of its own. */
const PER_ADDRESS = 1000;
const AT_ONCE = 100;

const clients: Socket[] = [];

for await (const line of console) {
  const [order, ...rest] = line.split(" ");
  if (order === "open") await open(Number(rest[0]), Number(rest[1]));
  else if (order === "say") await Promise.all(clients.map((client) => say(client, rest.join(" "))));
  else await Promise.all(clients.splice(0).map(leave));
  console.log("done");
}

async function open(port: number, count: number): Promise<void> {
  for (let opened = 0; opened < count; opened += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - opened) }, (_, nth) => {
      const localAddress = `127.0.0.${10 + Math.floor((opened + nth) / PER_ADDRESS)}`;
      return connect({ host: "127.0.0.1", port, localAddress });
    });
    await Promise.all(some.map((client) => once(client, "connect")));
    for (const client of some) client.on("error", lost).on("end", lost);
    clients.push(...some);
  }
}

async function say(client: Socket, text: string): Promise<void> {
  client.write(text);
  const [answer] = await once(client, "data");
  if (String(answer) !== text) throw new Error(`said ${text}, heard ${answer}`);
}

async function leave(client: Socket): Promise<void> {
  client.off("end", lost).resume().end();
  await once(client, "close");
}

function lost(error?: Error): never {
  throw new Error("a client lost its connection", { cause: error });
}
