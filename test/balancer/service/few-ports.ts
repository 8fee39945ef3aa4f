/** Run in a network namespace with four ports to dial from (ip_local_port_range): says where six clients landed. */
import { Client, Server } from "./peers.ts";
import { Balancer } from "./rig.ts";

const servers = [await Server.start("one", { port: 5001 }), await Server.start("two", { port: 5002 })];
const balancer = await Balancer.start(`
services: { a: { listen: "127.0.0.1:5000", pool: p } }
pools:
  p:
    algorithm: first
    observe: { failures: 1 }
    servers: { one: ${servers[0]!.address}, two: ${servers[1]!.address} }
`);
const clients: Client[] = [];
const landed: string[] = [];
for (let nth = 0; nth < 6; nth++) {
  const client = await Client.connect(5000, { from: `127.0.0.${10 + nth}` });
  landed.push(await client.server());
  clients.push(client);
}
const { servers: status } = await balancer.pool("p");
const downs = balancer.log.events.filter(({ event }) => event === "server.down").length;
console.log(JSON.stringify({ landed, downs, failures: status.map(({ failures }) => failures.connect) }));
await Promise.all(clients.map((client) => client.leave()));
await balancer.stop();
await Promise.all(servers.map((server) => server.stop()));
