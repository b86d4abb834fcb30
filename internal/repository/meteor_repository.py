"""Puts the repositories that an image was built from where its notebook opens them.

They are in the image. What people see in a notebook is a volume, which is empty at first: so each repository is
copied there once, in the background, when the server starts. Nothing that is there is touched, and whatever goes
wrong is a line in the log and no more.
"""

import os
import shutil
import stat
import tempfile
import threading

# The place that the build chose.
SOURCE = "@SOURCE@"

# Small repositories are there before the server answers; it does not wait for large ones.
PATIENCE = 5


def _root(app):
    manager = getattr(app, "contents_manager", None)
    for holder, name in ((manager, "root_dir"), (app, "root_dir"), (app, "notebook_dir")):
        path = getattr(holder, name, None)
        if path:
            return os.path.abspath(os.path.expanduser(path))
    return os.getcwd()


def _writable(path):
    for folder, _, files in os.walk(path):
        for name in [folder] + [os.path.join(folder, f) for f in files]:
            if not os.path.islink(name):
                mode = os.stat(name).st_mode
                extra = stat.S_IRUSR | stat.S_IWUSR | (stat.S_IXUSR if os.path.isdir(name) else 0)
                os.chmod(name, stat.S_IMODE(mode) | extra)


def _copy(source, target):
    scratch = tempfile.mkdtemp(prefix=".meteor-", dir=os.path.dirname(target))
    try:
        made = os.path.join(scratch, "content")
        shutil.copytree(source, made, symlinks=True)
        _writable(made)
        # In one step, so that nobody ever sees half of it.
        os.rename(made, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _fill(root, log):
    try:
        names = sorted(os.listdir(SOURCE))
    except OSError:
        return
    for name in names:
        target = os.path.join(root, name)
        if os.path.lexists(target):
            continue
        try:
            _copy(os.path.join(SOURCE, name), target)
            log.info("The repository %s was put into %s", name, root)
        except Exception as error:
            log.warning("The repository %s could not be put into %s: %s", name, root, error)


def load_jupyter_server_extension(app):
    try:
        worker = threading.Thread(target=_fill, args=(_root(app), app.log), daemon=True)
        worker.start()
        worker.join(PATIENCE)
    except Exception as error:
        app.log.warning("The image's repository could not be put in place: %s", error)


_load_jupyter_server_extension = load_jupyter_server_extension


def _jupyter_server_extension_points():
    return [{"module": "meteor_repository"}]


def _jupyter_server_extension_paths():
    return [{"module": "meteor_repository"}]
