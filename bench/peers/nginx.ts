/**
 * nginx as it is measured. Its open version has no sticky cookie that names a server: here the cookie is a random word, made
 * by nginx, and its hash picks the server, which comes closest.
 */
import { COOKIE, MOST_CONNECTIONS, type Peer, written } from "../peers.ts";

export function nginx(name: string, executable: string): Peer {
  return {
    name,
    ours: false,
    listeners: ["tcp", "http", "forwarded", "streams", "https", "rsa"],
    version: [executable, "-v"],
    prepare({ listen, servers, webServers, certificates: { p256, rsa }, threads, folder }) {
      const list = servers.map(({ host, port }) => `    server ${host}:${port};`).join("\n");
      const webList = webServers.map(({ host, port }) => `    server ${host}:${port};`).join("\n");
      const site = (listens: string, more = "") => `  server {
    listen 127.0.0.1:${listens};
    add_header Set-Cookie $new_cookie;
    location / {
      proxy_pass http://web;
${more}
    }
  }`;
      // What is set in a location takes the place of everything that is inherited.
      const forwarded = `      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_to_server;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Request-Id $request_id;`;
      const certified = ({ cert, key }: typeof p256) => `      ssl_certificate ${cert};
      ssl_certificate_key ${key};`;
      const secure = (port: number, files: typeof p256) =>
        site(`${port} ssl http2 backlog=4096`).replace("    location", `${certified(files)}\n    location`);
      return written(
        folder,
        "nginx.conf",
        `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes ${threads};
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log crit;
events { worker_connections ${2 * MOST_CONNECTIONS}; }
stream {
  access_log off;
  proxy_timeout 1h;
  upstream relayed {
    least_conn;
${list}
  }
  server {
    listen 127.0.0.1:${listen.tcp} backlog=4096;
    proxy_pass relayed;
  }
}
http {
  access_log off;
  client_body_temp_path ${folder}/client_body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  tcp_nodelay on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  ssl_protocols TLSv1.2 TLSv1.3;
  map $cookie_${COOKIE} $user { default $cookie_${COOKIE}; "" $request_id; }
  map $cookie_${COOKIE} $new_cookie { default ""; "" "${COOKIE}=$request_id; Path=/; HttpOnly"; }
  map $http_upgrade $connection_to_server { default upgrade; "" ""; }
  upstream web {
    hash $user;
${webList}
    keepalive 256;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_to_server;
  proxy_read_timeout 1h;
  proxy_send_timeout 1h;
  proxy_request_buffering off;
  proxy_max_temp_file_size 0;
${site(`${listen.http} backlog=4096`)}
${site(`${listen.forwarded} backlog=4096`, forwarded)}
${site(`${listen.streams} backlog=4096`, "      proxy_buffering off;")}
${secure(listen.https, p256)}
${secure(listen.rsa, rsa)}
}
`,
        (file) => [executable, "-p", folder, "-e", `${folder}/error.log`, "-c", file],
      );
    },
  };
}
