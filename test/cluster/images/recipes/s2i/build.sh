# Jupyter that is a source-to-image builder, too.
for script in assemble run usage; do
	install -D -m 0755 "/mnt/$script" "/usr/libexec/s2i/$script"
done
