# What holds unless NOTEBOOK_ARGS says otherwise.
import os

c = get_config()  # noqa: F821: Jupyter defines it
c.NotebookApp.ip = "0.0.0.0"
c.NotebookApp.port = 8888
c.NotebookApp.port_retries = 0
c.NotebookApp.open_browser = False
c.NotebookApp.base_url = os.environ.get("NB_PREFIX", "/")
