# The smallest Debian that apt works in, without documentation or anything of
# the machine it was made on.
mkdir -p "$ROOT/etc/dpkg/dpkg.cfg.d"
cat > "$ROOT/etc/dpkg/dpkg.cfg.d/image" <<'CONF'
force-unsafe-io
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/info/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/lintian/*
CONF

debootstrap --variant=minbase --keyring="$KEYRING" "$SUITE" "$ROOT" "$MIRROR"

find "$ROOT/usr/share/doc" -type f ! -name copyright -delete
find "$ROOT/usr/share/doc" -depth -type d -empty -delete
rm -rf "$ROOT"/usr/share/info/* "$ROOT"/usr/share/man/* "$ROOT"/usr/share/locale/* "$ROOT"/usr/share/lintian
rm -rf "$ROOT"/var/lib/apt/lists/* "$ROOT"/var/cache/apt/* "$ROOT"/var/cache/debconf/*-old "$ROOT"/var/lib/dpkg/*-old
rm -rf "$ROOT"/var/log/* "$ROOT"/var/cache/ldconfig/* "$ROOT"/dev/* "$ROOT"/etc/machine-id
rm -f "$ROOT/etc/resolv.conf" "$ROOT/etc/hostname" "$ROOT/etc/hosts"
: > "$ROOT/etc/apt/sources.list"
: > "$ROOT/etc/resolv.conf"
echo localhost > "$ROOT/etc/hostname"
echo '127.0.0.1 localhost' > "$ROOT/etc/hosts"
