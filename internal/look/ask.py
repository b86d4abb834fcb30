import sys

mark = sys.argv[1]
sys.path[:] = [p for p in sys.path if p not in ("", ".")]


def say(*fields):
    sys.stdout.write("\t".join((mark,) + fields) + "\n")


def module_finder():
    try:
        from importlib.util import find_spec
        return find_spec
    except ImportError:
        import pkgutil
        return pkgutil.find_loader


def header(text):
    name = version = None
    requires = []
    for line in text.splitlines():
        if not line:
            break
        key, _, value = line.partition(": ")
        key = key.lower()
        if key == "name":
            name = value.strip()
        elif key == "version":
            version = value.strip()
        elif key == "requires-dist" and "extra" not in value.partition(";")[2]:
            requires.append(value)
    return name, version, requires


def distributions():
    try:
        from importlib import metadata
    except ImportError:
        try:
            import importlib_metadata as metadata
        except ImportError:
            metadata = None
    if metadata is None:
        import pkg_resources
        for d in pkg_resources.working_set:
            yield d.project_name, d.version, [str(r) for r in d.requires()]
        return
    for d in metadata.distributions():
        try:
            yield header(d.read_text("METADATA") or d.read_text("PKG-INFO") or "")
        except Exception:
            continue


say("python", "%d.%d.%d" % sys.version_info[:3])
find = module_finder()
for module in sys.argv[2:]:
    try:
        if find(module) is not None:
            say("module", module)
    except Exception:
        continue
sys.stdout.flush()
try:
    for name, version, requires in distributions():
        if not name or not version:
            continue
        say("dist", name, version)
        for requirement in requires:
            say("requires", requirement)
except Exception:
    say("problem", "packages", sys.exc_info()[0].__name__)
say("end")
sys.stdout.flush()
