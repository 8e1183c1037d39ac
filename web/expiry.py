"""The watch over what expires: the grants of the node's keys, and its TLS certificate.

Laws: told in the log at the start and once a day while it lasts, in the gauge `loa_expires_seconds` always;
what renews itself is warned of only when it should have done so and has not. Reads; changes nothing.
"""

import asyncio
from collections.abc import Mapping

import structlog

from ..station.expiry import Expiring, ExpiryWarning, expiring_grants, expiry_warnings
from .certificate import RENEW_BEFORE, Certificate
from .model import moment
from .services import Services

DAILY_S = 86_400.0
OWN_CERTIFICATE_DAYS = RENEW_BEFORE.days - 2
"""Ours is made again `RENEW_BEFORE` its end, at the next look: two days later something is wrong."""

log = structlog.get_logger("expiry")


class ExpiryWatch:
    """See the module."""

    def __init__(self, services: Services) -> None:
        self._clock, self._keyring = services.clock, services.keyring
        self._certificate = services.entrance.certificate

    def items(self) -> tuple[Expiring, ...]:
        certificate = self._certificate()
        grants = expiring_grants(self._keyring.ring)
        return (*grants, _certificate_item(certificate)) if certificate else grants

    def warnings(self) -> tuple[ExpiryWarning, ...]:
        return expiry_warnings(self._clock.now_us(), self.items())

    def seconds(self) -> Mapping[str, float]:
        """Until each runs out; below 0 when it has."""
        now_us = self._clock.now_us()
        return {item.what: (item.expires_us - now_us) / 1e6 for item in self.items()}

    def tell(self) -> None:
        """Into the log."""
        for warning in self.warnings():
            say = log.error if warning.stage <= 7 else log.warning
            at = moment(warning.expires_us).isoformat()
            say("expires", what=warning.what, at=at, days_left=warning.days_left)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.tell()
            await asyncio.sleep(DAILY_S)


def _certificate_item(certificate: Certificate) -> Expiring:
    expires_us = int(certificate.expires.timestamp()) * 1_000_000
    first_days = OWN_CERTIFICATE_DAYS if certificate.ours else 90
    return Expiring("certificate", expires_us, first_days)
