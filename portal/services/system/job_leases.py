"""Who does a job that must not be done twice."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from portal import clock
from portal.models import JobLease
from portal.services.core.transaction import count_changed, transaction


def take_lease(name: str, length: timedelta) -> bool:
    """Take a job for so long; False when somebody has it, in this process or another."""
    try:
        with transaction() as session:
            now = clock.utcnow()
            free = update(JobLease).where(JobLease.name == name, JobLease.leased_until <= now)
            if count_changed(session, free.values(leased_until=now + length)) == 1:
                return True
            if session.get(JobLease, name) is not None:
                return False
            session.add(JobLease(name=name, leased_until=now + length))
    except IntegrityError:
        return False
    return True
