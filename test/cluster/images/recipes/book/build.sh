# What Debian has for making books of notebooks: Sphinx with MyST and nbsphinx,
# which wants pandoc, nbconvert, and a kernel that runs notebooks. Jupyter Book
# itself is not in Debian 12.
apt-get update -q
apt-get install -y -q --no-install-recommends \
	python3-sphinx python3-myst-parser python3-nbsphinx python3-nbconvert jupyter-nbconvert \
	python3-ipykernel pandoc libjs-mathjax
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/* /var/cache/ldconfig/*
