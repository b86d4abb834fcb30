# Debian's buildah with what it needs to work in a pod, and nothing of what it
# needs elsewhere: no runtime, no network plugins, no registry logins.
apt-get update -q
apt-get install -y -q --no-install-recommends buildah
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/* /var/cache/ldconfig/*

# Root of the pod may have all users of the image that it builds, in a user
# namespace that it makes itself, and the same numbers as in the pod.
echo 'root:1:65535' > /etc/subuid
echo 'root:1:65535' > /etc/subgid
install -m 0644 /mnt/storage.conf /mnt/registries.conf /mnt/policy.json /etc/containers/
rm -rf /etc/containers/registries.conf.d /etc/containers/registries.d
mkdir -p /var/lib/containers
