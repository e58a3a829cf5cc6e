"""What people who join find at the root: the licence, and checks before each commit that are the lint's."""

from __future__ import annotations

import json
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
