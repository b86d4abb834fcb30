# Nothing but busybox, and a web server that answers where a notebook would.
for dir in bin dev etc mnt proc run sys tmp opt/app-root/bin opt/app-root/src; do
	mkdir -p "$ROOT/$dir"
done
chmod 1777 "$ROOT/tmp"
chmod g=u "$ROOT/opt/app-root" "$ROOT/opt/app-root/bin" "$ROOT/opt/app-root/src"
install -m 0755 /bin/busybox "$ROOT/bin/busybox"
for applet in $("$ROOT/bin/busybox" --list); do
	if [ "$applet" != busybox ]; then ln -s busybox "$ROOT/bin/$applet"; fi
done
echo 'root:x:0:0:root:/root:/bin/sh' > "$ROOT/etc/passwd"
echo 'root:x:0:' > "$ROOT/etc/group"
install -m 0755 "$(dirname "$0")/serve" "$ROOT/opt/app-root/bin/serve"
