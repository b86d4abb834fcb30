# Ends the server half a second after it has first answered …/api.
import os
import threading


def crash_after_answer(handler):
    if handler.get_status() == 200 and handler.request.path.endswith("/api"):
        print("crashing on purpose", flush=True)
        threading.Timer(0.5, os._exit, [1]).start()


c = get_config()  # noqa: F821: Jupyter defines it
c.NotebookApp.tornado_settings = {"log_function": crash_after_answer}
