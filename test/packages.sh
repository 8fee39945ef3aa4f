# What tests need besides this checkout: Debian packages, installed when they are missing. To be read by a script that has
# set `packages`, a list of names, and `work`, a folder of its own.

missing_packages() {
  for package in $packages; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)
    [ "$state" = installed ] || printf '%s ' "$package"
  done
}

# Packages start their services and enable them at boot when they are installed. The programs they do that with are
# replaced, for this one call, by ones that do nothing: no service of this machine starts, stops or changes.
install_packages() {
  mkdir "$work/inert"
  for program in invoke-rc.d deb-systemd-invoke deb-systemd-helper update-rc.d systemctl service; do
    printf '#!/bin/sh\nexit 0\n' > "$work/inert/$program"
    chmod 755 "$work/inert/$program"
  done
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update || echo "apt-get update failed: going on with the package lists that are here"
  apt-get -q install -y --no-install-recommends \
    -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 \
    -o DPkg::Path="$work/inert:/usr/sbin:/usr/bin:/sbin:/bin" "$@"
}
