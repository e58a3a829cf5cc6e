"""Whom the demo shows, and the keys that they create."""

from __future__ import annotations

from dataclasses import dataclass

from portal.demo.use import Use
from portal.models import Environment, KeyKind
from portal.permissions import Role
from portal.services.auth.demo_data import DOMAIN
from portal.services.keys.conditions import NONE, Conditions

DAY_S = 24 * 3600
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_7) AppleWebKit/605.1.15 Version/18.6 Safari/605.1.15"
PHONE = "Mozilla/5.0 (Android 15; Mobile; rv:146.0) Gecko/146.0 Firefox/146.0"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs up so many days ago, and is given a role the day after."""

    name: str
    joined: int
    ip_address: str
    role: Role = Role.USER
    agent: str = FIREFOX
    bio: str = ""
    language: str = "en"
    confirms: bool = True

    @property
    def email(self) -> str:
        """Where mail would go, if any left."""
        return f"{self.name}@{DOMAIN}"


PEOPLE = (
    Person("ada", 365, "203.0.113.10", Role.ADMIN, bio="Runs the portal."),
    Person("sue", 362, "203.0.113.24", Role.SUPPORT, SAFARI, bio="Answers the helpdesk on weekdays."),
    Person("alice", 361, "198.51.100.7", bio="Builds the shop, and everything that deploys it."),
    Person("milo", 355, "198.51.100.31", Role.CURATOR, SAFARI, language="fr"),
    Person("bruno", 340, "198.51.100.58", Role.BUGHUNTER, bio="Breaks things on purpose.", language="de"),
    Person("carla", 320, "203.0.113.77", Role.CURATOR, SAFARI, language="es"),
    Person("theo", 300, "198.51.100.90", Role.TESTER, language="nl"),
    Person("bob", 270, "192.0.2.45", agent=PHONE),
    Person("nora", 240, "192.0.2.118", agent=PHONE, language="de"),
    Person("rosa", 210, "192.0.2.140", agent=SAFARI),
    Person("lena", 150, "192.0.2.201", agent=PHONE, language="fr"),
    Person("ines", 3, "192.0.2.222", confirms=False),
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A key that its owner creates so many days ago, for so many days.

    ``by`` names the key that creates it, where no person does. ``rests`` is how many days ago
    its calls stopped, though it could have gone on; ``begins`` in how many days from now it works.
    """

    owner: str
    name: str
    day: int
    level: int
    life: int
    use: Use | None = None
    calls: int = 0
    bound: Conditions = NONE
    kind: KeyKind = KeyKind.ACCOUNT
    by: str = ""
    rests: int = 0
    begins: int = 0


TEST = Conditions(environment=Environment.TEST)
LIVE = Conditions(environment=Environment.LIVE)

KEYS = (
    Planned("ada", "Prometheus", 360, 6, 365, Use.STEADY, 1440, Conditions(networks="203.0.113.0/24")),
    Planned(
        "ada", "Gateway", 330, 0, 365, Use.SERVICE, 21_000, Conditions(audiences="orders"), KeyKind.SERVICE
    ),
    Planned("ada", "Terraform", 200, 9, 90, Use.WORKDAYS, 60),
    Planned("ada", "In an emergency", 20, 9, 365, bound=Conditions(note="Sealed. Open with two people.")),
    Planned("sue", "Helpdesk", 355, 8, 365, Use.WORKDAYS, 340, Conditions(networks="203.0.113.0/24")),
    Planned(
        "sue", "Laptop on call", 180, 8, 365, Use.NOW_AND_THEN, 12, Conditions(max_idle=30 * DAY_S), rests=70
    ),
    Planned("sue", "Report on Mondays", 85, 6, 90, Use.NIGHTLY, 4),
    Planned("alice", "Shop CI", 350, 3, 365, Use.WORKDAYS, 900, LIVE),
    Planned("alice", "Deploy", 345, 4, 365, Use.WORKDAYS, 80, LIVE),
    Planned("alice", "Deploy, preview", 12, 3, 30, Use.WORKDAYS, 45, TEST, by="Deploy"),
    Planned("alice", "Deploy, hotfix", 60, 2, 14, Use.NOW_AND_THEN, 6, by="Deploy"),
    Planned("alice", "Backup", 300, 2, 365, Use.NIGHTLY, 24),
    Planned("alice", "Orders", 280, 3, 365, Use.SERVICE, 6400, Conditions(audiences="orders shipping")),
    Planned("alice", "Raspberry Pi", 352, 1, 365, Use.STEADY, 288, Conditions(calls_per_minute=60)),
    Planned("alice", "Dotfiles", 220, 4, 365, Use.NOW_AND_THEN, 9),
    Planned("alice", "Workshop", 4, 1, 30, begins=9),
    Planned("milo", "Collections", 330, 5, 365, Use.WORKDAYS, 210),
    Planned("milo", "Thumbnails", 250, 5, 180, Use.SERVICE, 1800),
    Planned("milo", "Reading list", 148, 1, 365, Use.NOW_AND_THEN, 15),
    Planned("milo", "Old phone", 140, 1, 60, Use.NOW_AND_THEN, 8),
    Planned("bruno", "Fuzzing", 110, 6, 365, Use.WORKDAYS, 1300, Conditions(calls_per_day=8000)),
    Planned("bruno", "Scanner", 250, 6, 365, Use.NIGHTLY, 600),
    Planned("bruno", "Reproduce 1412", 190, 6, 7, Use.NOW_AND_THEN, 40),
    Planned("bruno", "Fuzzing, slower", 3, 6, 90, Use.WORKDAYS, 700, Conditions(calls_per_day=2000)),
    Planned("carla", "Catalogue import", 310, 5, 365, Use.NIGHTLY, 1200),
    Planned("carla", "Nightly sync", 290, 5, 365, Use.NIGHTLY, 450),
    Planned("carla", "Label printer", 260, 1, 365, Use.WORKDAYS, 130, Conditions(networks="203.0.113.64/28")),
    Planned("theo", "Test suite", 290, 4, 365, Use.WORKDAYS, 3100, TEST),
    Planned("theo", "Load test", 130, 4, 60, Use.WORKDAYS, 9000, TEST),
    Planned("theo", "Staging", 40, 4, 42, Use.SERVICE, 520, TEST),
    Planned("bob", "Prices", 260, 4, 365, Use.STEADY, 5200),
    Planned("bob", "Prices 2", 100, 4, 365, Use.STEADY, 7900),
    Planned("nora", "Calendar", 230, 2, 365, Use.STEADY, 96),
    Planned("rosa", "Newsletter", 200, 3, 365, Use.NOW_AND_THEN, 50),
    Planned("lena", "Phone", 140, 4, 365, Use.NOW_AND_THEN, 20),
)
