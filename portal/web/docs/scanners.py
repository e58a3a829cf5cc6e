"""What scanners need to find our secrets: a pattern, a check, and rules for two of them."""

from __future__ import annotations

from portal.services.keys import secrets
from portal.web.docs.examples import Example

CHECK = """\
import re
from binascii import crc32

DIGITS = "{digits}"

def is_secret(text):
    if not re.fullmatch(r"{pattern}", text):
        return False
    number = 0
    for digit in text[-{checksum}:]:
        number = number * 62 + DIGITS.index(digit)
    return number == crc32(text[:-{checksum}].encode())"""

GITLEAKS = """\
# gitleaks dir .
[extend]
useDefault = true

[[rules]]
id = "chatelaine-{name}"
description = "A secret of {base_url}"
regex = '''{pattern}'''
keywords = ["{prefix}_"]"""

TRUFFLEHOG = """\
# trufflehog filesystem . --config trufflehog.yaml
detectors:
  - name: chatelaine-{name}
    keywords:
      - {prefix}_
    regex:
      secret: '{pattern}'"""

REPORT = """\
curl --json '{{"secrets": ["…"], "url": "where it was found"}}' {base_url}/api/leaks"""


def scanners(prefix: str, base_url: str) -> dict[str, Example]:
    """Write the texts of the section about leaks with the prefix and the address of the installation."""
    values = {
        "pattern": secrets.pattern(prefix).pattern,
        "prefix": prefix,
        "name": prefix.replace("_", "-"),
        "base_url": base_url,
        "digits": secrets.ALPHABET,
        "checksum": secrets.CHECKSUM_LENGTH,
    }
    return {
        "check": Example("leak-check", "Python", CHECK.format(**values)),
        "gitleaks": Example("leak-gitleaks", ".gitleaks.toml", GITLEAKS.format(**values)),
        "trufflehog": Example("leak-trufflehog", "trufflehog.yaml", TRUFFLEHOG.format(**values)),
        "report": Example("leak-report", "curl", REPORT.format(**values)),
    }
