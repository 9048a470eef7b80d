"""JSON files that another stage left: whatever is wrong with one is told with its remedy."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hw.foundation.errors import InputError


@contextmanager
def json_content(file: Path | str, remedy: str) -> Iterator[Any]:
    """Yield what the file holds; a block that finds something else than it expects (KeyError,
    TypeError, ValueError, ...) has found damage.

    Args:
        remedy: what to do where the file cannot be used.

    Raises:
        InputError: it cannot be read, is no JSON, or holds something else.
    """
    try:
        yield json.loads(Path(file).read_bytes())
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}; {remedy}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{file}: damaged: {type(error).__name__}: {str(error)[:200]}; {remedy}"
        ) from error
