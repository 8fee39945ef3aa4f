/**
 * A web server behind the balancer, as a program of its own so that it can be killed: `bun server.ts NAME [PORT]`. Writes
 * "listening PORT". Pages, a WebSocket that echoes, and what it knows about a request.
 */
const [name = "", port = "0"] = process.argv.slice(2);

const PAGE = `<!doctype html><title>${name}</title><p id="server">${name}</p>
<script>
  window.protocol = () => performance.getEntriesByType("navigation")[0].nextHopProtocol;
  window.echo = (text) => new Promise((resolve, reject) => {
    const socket = new WebSocket("wss://" + location.host + "/echo");
    socket.onopen = () => socket.send(text);
    socket.onmessage = ({ data }) => { resolve(data); socket.close(); };
    socket.onerror = () => reject(new Error("no WebSocket"));
  });
</script>`;
const SMALL = "x".repeat(64);

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  idleTimeout: 120,
  maxRequestBodySize: 64 << 20,
  async fetch(request, server) {
    const { pathname, searchParams } = new URL(request.url);
    switch (pathname) {
      case "/":
        return new Response(PAGE, { headers: { "content-type": "text/html" } });
      case "/small":
        return new Response(SMALL);
      case "/health":
        return new Response("ok");
      case "/who":
        return Response.json({ server: name, fields: [...request.headers] });
      case "/bytes":
        return new Response(new Uint8Array(Number(searchParams.get("size") ?? 0)).fill(0x61));
      case "/size":
        return new Response(String((await request.arrayBuffer()).byteLength));
      case "/echo":
        return server.upgrade(request) ? undefined : new Response("a WebSocket is wanted", { status: 426 });
      default:
        return new Response("not found", { status: 404 });
    }
  },
  websocket: { message: (socket, message) => void socket.send(`${name}: ${message}`) },
});
console.log(`listening ${server.port}`);
