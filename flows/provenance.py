"""Where a number comes from: hashes of files, versions of tools, state of the checkout."""

import hashlib
import importlib.metadata
import subprocess
from pathlib import Path

from reports.metrics import Provenance

_PROJECT = Path(__file__).resolve().parent.parent
HASH_DIGITS = 16


def file_hash(*paths: Path) -> str:
    """SHA-256 over the content of `paths` in order, shortened to 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:HASH_DIGITS]


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(_PROJECT), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def provenance(
    *,
    model_hash: str | None = None,
    data_hash: str | None = None,
    seed: int | None = None,
    packages: tuple[str, ...] = (),
    tools: dict[str, str] | None = None,
) -> Provenance:
    """Provenance of a number made now by this checkout.

    Args:
        packages: installed Python packages whose versions matter to the number.
        tools: further tools with their version texts.
    """
    status = _git("status", "--porcelain")
    versions = {name: importlib.metadata.version(name) for name in packages}
    return Provenance(
        model_hash=model_hash,
        data_hash=data_hash,
        tools=versions | (tools or {}),
        git_commit=_git("rev-parse", "HEAD"),
        git_dirty=None if status is None else bool(status),
        seed=seed,
    )
