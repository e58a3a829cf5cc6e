"""What people who join look for is there and true: the licence, the check before a commit, the maps."""

from __future__ import annotations

import json
import re
import tomllib

import yaml

from tests.support.databases import ROOT


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_the_licence_is_named_the_same_everywhere() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]

    assert read("LICENSE").startswith("MIT License\n")
    assert project["license"] == json.loads(read("package.json"))["license"] == "MIT"
    assert project["license-files"] == ["LICENSE"]
    assert "[MIT](LICENSE)" in read("README.md")


def test_before_a_commit_runs_what_the_lint_runs_and_nothing_else() -> None:
    hooks = [
        hook for repo in yaml.safe_load(read(".pre-commit-config.yaml"))["repos"] for hook in repo["hooks"]
    ]

    assert [hook["entry"] for hook in hooks] == ["make lint"]
    assert hooks[0]["always_run"], "templates and settings of the tools are linted too"
    assert not hooks[0]["pass_filenames"], "types of one file depend on others"


def test_templates_send_no_weakness_into_an_open_issue() -> None:
    assert "SECURITY.md" in read(".github/ISSUE_TEMPLATE/bug.md")


def test_the_index_has_each_decision_by_its_number_and_title() -> None:
    told = re.findall(r"^- \[((\d+)\. .+)\]\((.+)\)$", read("docs/decisions/README.md"), re.MULTILINE)
    files = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))

    assert [(f"# {title}", name) for title, number, name in sorted(told, key=lambda each: int(each[1]))] == [
        (path.read_text("utf-8").partition("\n")[0], path.name) for path in files
    ]
    assert all(name.startswith(f"{int(number):04}-") for _title, number, name in told)
