#!/bin/sh
# One xrdp with its own session manager, sealed off from the machine. Run it as the first process of new namespaces:
#
#   unshare --mount --ipc --pid --fork --kill-child --mount-proc sh xrdp.sh PORT SESMAN_PORT FIRST_DISPLAY USER:PASSWORD…
#
# Everything that is written here lies on tmpfs mounts of this namespace: a copy of /etc with users of its own, /home,
# /run, /tmp and the logs. Both logs go to stdout. It ends when stdin ends, and its sessions end with it, however the
# test that holds the other end has died.
set -eu

port=$1
sesman_port=$2
first_display=$3
shift 3

mount -t tmpfs -o mode=1777 tmpfs /tmp
cp -a /etc /tmp/etc
mount --bind /tmp/etc /etc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /home
mount -t tmpfs -o mode=755 tmpfs /var/log
mkdir -m 1777 /tmp/.X11-unix

for user in "$@"; do
  useradd --create-home --shell /bin/sh "${user%%:*}"
done
printf '%s\n' "$@" | chpasswd

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=lab \
  -keyout /etc/xrdp/lab.key -out /etc/xrdp/lab.crt 2>/dev/null

sed -i \
  -e "s|^port=3389|port=tcp://127.0.0.1:$port|" \
  -e 's|^security_layer=.*|security_layer=tls|' \
  -e 's|^certificate=.*|certificate=/etc/xrdp/lab.crt|' \
  -e 's|^key_file=.*|key_file=/etc/xrdp/lab.key|' \
  -e 's|^EnableSyslog=.*|EnableSyslog=false|' \
  -e 's|^LogFile=.*|LogFile=/proc/self/fd/1|' /etc/xrdp/xrdp.ini
sed -i \
  -e "s|^ListenPort=.*|ListenPort=$sesman_port|" \
  -e "s|^X11DisplayOffset=.*|X11DisplayOffset=$first_display|" \
  -e 's|^EnableSyslog=.*|EnableSyslog=false|' \
  -e 's|^LogFile=.*|LogFile=/proc/self/fd/1|' /etc/xrdp/sesman.ini
printf '#!/bin/sh\nexec xterm\n' > /etc/xrdp/startwm.sh
chmod 755 /etc/xrdp/startwm.sh

# Through `cat`, because a log can be opened again at /proc/self/fd/1 when that is a pipe, not when it is a socket.
{ xrdp-sesman -n </dev/null 2>&1 | cat; echo "xrdp-sesman has ended"; } &
{ xrdp -n </dev/null 2>&1 | cat; echo "xrdp has ended"; } &
cat >/dev/null
