"""Types of keys that several records have."""

from typing import Annotated

from pydantic import AfterValidator

from hw.foundation.fixed_point import parse_format


def _checked(text: str) -> str:
    parse_format(text)
    return text


FormatText = Annotated[str, AfterValidator(_checked)]
"""A fixed-point format in the notation of `hw.foundation.fixed_point`."""
