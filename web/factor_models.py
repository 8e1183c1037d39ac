"""Bodies about second factors: one-time codes of an app, passkeys, recovery codes."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from ..station.factors import FactorKind
from .model import Id, In, Moment, Out
from .people_models import Challenge, Password, ShortName


class FactorOut(Out):
    id: Id
    kind: FactorKind
    name: str
    created: Moment
    last_used: Moment | None


class FactorsOut(Out):
    required: bool = Field(description="a role of this account asks for a second factor")
    factors: list[FactorOut]
    recovery_left: int = Field(description="recovery codes not yet used")


class TotpIn(In):
    name: ShortName


class TotpOut(Out):
    id: Id
    secret: str = Field(description="to type, where no QR code can be read; shown this once")
    uri: str = Field(description="otpauth://, what the QR code says")
    qr: list[str] = Field(description='rows of "0" (light) and "1" (dark); leave four modules around')


class ConfirmIn(In):
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class RecoveryOut(Out):
    recovery_codes: list[str] | None = Field(
        description="shown this once, each good once; null when there are some from before"
    )


class PasskeyOptionsOut(Out):
    challenge: str = Field(description="good once, for five minutes")
    options: dict[str, Any] = Field(description="the argument of navigator.credentials.create(), as JSON")


class PasskeyIn(In):
    challenge: Challenge
    name: ShortName
    credential: dict[str, Any] = Field(description="what navigator.credentials.create() gave, as JSON")


class PasskeyOut(RecoveryOut):
    id: Id


class ProofIn(In):
    """Of who sits there: the session alone is not enough to take a factor away."""

    password: Password
