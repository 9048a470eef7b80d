"""README and docs: their links, their files, and the commands they name exist."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from flows.dispatch import COMMANDS, load_command
from flows.stages import STAGES

PROJECT = Path(__file__).resolve().parents[2]
README = PROJECT / "README.md"
PAGES = [README, *sorted((PROJECT / "docs").glob("*.md"))]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)")
_FENCED = re.compile(r"^```\w*\n(.*?)^```$", flags=re.M | re.S)
_INDENTED = re.compile(r"^(    .*)$", flags=re.M)
_FLOWS = re.compile(r"^(?:\.venv/bin/)?python -m flows ")


def commands(page: Path) -> list[str]:
    """The lines of a page's blocks of code, and its inline code."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    prose = _FENCED.sub("", text)
    blocks = [*_FENCED.findall(text), *_INDENTED.findall(prose)]
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return lines + [" ".join(code.split()) for code in inline(prose)]


def inline(prose: str) -> list[str]:
    return re.findall(r"`([^`]+)`", prose)


def links(page: Path) -> list[Path]:
    """Files that a page links to."""
    targets = _LINK.findall(page.read_text(encoding="utf-8"))
    return [(page.parent / target).resolve() for target in targets if "://" not in target]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert not [str(target) for target in links(page) if not target.exists()]


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, left = {README}, [README]
    while left:
        for target in links(left.pop()):
            if target.suffix == ".md" and target not in reached:
                reached.add(target)
                left.append(target)
    assert not {page.name for page in PAGES} - {page.name for page in reached}


@pytest.fixture(scope="module")
def make_help() -> str:
    return subprocess.run(
        ["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_commands_name_targets_and_variables_that_exist(page: Path, make_help: str) -> None:
    targets = set(re.findall(r"^  ([a-z][a-z0-9-]*)\s", make_help, flags=re.M))
    targets |= {f"clean-{stage.name}" for stage in STAGES}
    variables = set(re.findall(r"^  ([A-Z]+)\s", make_help, flags=re.M))
    for command in commands(page):
        if re.match(r"make(\s|$)", command):
            words = shlex.split(command, comments=True)[1:]
            for word in words:
                name, assignment, _ = word.partition("=")
                assert name in (variables if assignment else targets), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_flows_commands_have_options_that_exist(page: Path) -> None:
    speaks_of = inline(_FENCED.sub("", page.read_text(encoding="utf-8")))
    for command in commands(page):
        if not _FLOWS.match(command):
            continue
        name, *options = shlex.split(_FLOWS.sub("", command), comments=True)
        if name in ("--help", "<command>"):
            continue
        assert name in COMMANDS, command
        if not options and any(" ".join(code.split()) == command for code in speaks_of):
            continue  # a step's name alone is no command
        try:
            load_command(name)[1].parse_args(options)
        except SystemExit as end:
            assert end.code == 0, command


def test_pages_that_the_sources_name_exist() -> None:
    named = {
        page
        for package in ("hw", "models", "testbench", "reports", "flows", "tests", "benchmarks")
        for file in (PROJECT / package).rglob("*")
        if file.suffix in (".py", ".sv", ".v", ".h", ".cpp", ".tcl", ".yaml")
        for page in re.findall(r"\bdocs/[\w-]+\.md\b", file.read_text(encoding="utf-8"))
    }
    assert len(named) > 3
    assert not [page for page in sorted(named) if not (PROJECT / page).is_file()]
