/** The first flight of this runtime's own TLS client. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type ConnectionOptions, connect } from "node:tls";

/** What a client with these options sends before it hears anything. */
export async function recordClientHello(options: ConnectionOptions): Promise<Buffer> {
  const listener = createServer();
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const client = connect({ host: "127.0.0.1", port: (listener.address() as AddressInfo).port, ...options });
  client.on("error", () => {});
  const [socket] = await once(listener, "connection");
  const [hello] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  client.destroy();
  listener.close();
  return hello;
}
