"""Body of a process that runs one `kedro` command: executed by path, with settings in its globals."""

import os
import sys
from typing import Any

settings: dict[str, Any] = globals()["SETTINGS"]
os.chdir(settings["folder"])
os.environ.update(settings["environment"])
for number, path in ((1, settings["stdout"]), (2, settings["stderr"])):
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
sys.dont_write_bytecode = True
sys.argv = ["kedro", *settings["arguments"]]

from kedro.framework.cli.cli import main  # noqa: E402

from protsae.core import code  # noqa: E402

code.PROCESS_START = code._process_start()  # the server's own start came with the fork
main()
