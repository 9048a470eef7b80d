"""Pictures together: what was drawn, what was not and why, and the folder that holds them."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hw.foundation.atomic_file import atomic_directory
from hw.foundation.errors import InputError
from hw.foundation.json_file import json_content
from reports.pictures.picture import MissingValuesError, Picture, PictureGroup

_INDEX = "gallery.json"


@dataclass(frozen=True)
class NotDrawn:
    """A picture that could not be drawn, and why."""

    title: str
    reason: str


@dataclass(frozen=True)
class Gallery:
    """The pictures of one design, and those that are lacking."""

    pictures: tuple[Picture, ...] = ()
    not_drawn: tuple[NotDrawn, ...] = ()

    @property
    def groups(self) -> list[tuple[PictureGroup, list[Picture]]]:
        """The pictures by group, without empty groups."""
        members = [
            (group, [p for p in self.pictures if p.group is group]) for group in PictureGroup
        ]
        return [(group, pictures) for group, pictures in members if pictures]

    def __add__(self, other: "Gallery") -> "Gallery":
        return Gallery(self.pictures + other.pictures, self.not_drawn + other.not_drawn)


def gather(draws: Iterable[tuple[str, Callable[[], Picture]]]) -> Gallery:
    """Draw each picture, given as title and function; those that lack sound values become
    `NotDrawn`."""
    pictures, not_drawn = [], []
    for title, draw in draws:
        try:
            pictures.append(draw())
        except (MissingValuesError, InputError) as error:  # it is lacking, or damaged
            not_drawn.append(NotDrawn(title, str(error)))
    return Gallery(tuple(pictures), tuple(not_drawn))


def write_gallery(folder: Path, gallery: Gallery) -> None:
    """Write the pictures as PNG and SVG, and an index, into `folder`, in place of all in it."""
    index = {
        "pictures": [
            {"name": p.name, "title": p.title, "caption": p.caption, "group": p.group.value}
            for p in gallery.pictures
        ],
        "not_drawn": [{"title": n.title, "reason": n.reason} for n in gallery.not_drawn],
    }
    with atomic_directory(folder) as temporary:
        for picture in gallery.pictures:
            picture.write(temporary)
        (temporary / _INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def has_gallery(folder: Path) -> bool:
    """Whether `write_gallery` wrote this folder."""
    return (folder / _INDEX).is_file()


def read_gallery(folder: Path) -> Gallery:
    """Read what `write_gallery` wrote.

    Raises:
        InputError: its index is missing or damaged.
    """
    index = folder / _INDEX
    with json_content(index, "evaluate the model anew") as content:
        pictures = [
            Picture(
                record["name"],
                record["title"],
                record["caption"],
                PictureGroup(record["group"]),
                folder=folder,
            )
            for record in content["pictures"]
        ]
        not_drawn = [NotDrawn(r["title"], r["reason"]) for r in content["not_drawn"]]
    return Gallery(tuple(pictures), tuple(not_drawn))
