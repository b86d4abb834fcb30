"""Proves, inside the image, that a kernel works and that pip can install."""

import pathlib
import subprocess
import sys
import zipfile

from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python3")
reply = client.execute_interactive("import sys; assert sys.prefix == '/opt/app-root', sys.prefix", timeout=60)
manager.shutdown_kernel(now=True)
assert reply["content"]["status"] == "ok", reply["content"]

wheel = pathlib.Path("proof-1.0-py3-none-any.whl")
info = "proof-1.0.dist-info"
files = {
    "proof.py": "answer = 42\n",
    f"{info}/METADATA": "Metadata-Version: 2.1\nName: proof\nVersion: 1.0\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{info}/RECORD": f"proof.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
}
with zipfile.ZipFile(wheel, "w") as archive:
    for name, content in files.items():
        archive.writestr(name, content)
subprocess.run([sys.executable, "-m", "pip", "install", "--no-index", "--quiet", str(wheel)], check=True)
import proof  # noqa: E402: it was installed just now

assert proof.__file__.startswith("/opt/app-root/lib/"), proof.__file__
