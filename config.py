"""The settings: one TOML file, every key also as LOA_... in the environment, faults shown all at once.

Each field's description is its sentence in docs/settings.md; a test fails when one is missing there.
"""

import difflib
import tomllib
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from .errors import ConfigError


class Settings(BaseSettings):
    """What one node is told."""

    model_config = SettingsConfigDict(env_prefix="LOA_", extra="forbid", frozen=True)

    state: Path = Field(
        Path("var/node"), description="Folder of the database, the keys, the journal and the recordings."
    )
    host: str = Field("::", description="Address to listen on; `::` is every address, IPv4 included.")
    http_port: int = Field(
        8080, ge=0, le=65535, description="Port without TLS: mounts for players, speakers' links."
    )
    https_port: int = Field(8443, ge=0, le=65535, description="Port with TLS: the console. 0 turns it off.")
    udp_port: int = Field(
        8080, ge=0, le=65535, description="Port that datagrams leave from and speakers attach to."
    )
    webrtc_port: int = Field(
        8081,
        ge=0,
        le=65535,
        description="UDP port of microphones and of who listens by WebRTC; 0: any that is free.",
    )
    advertise: list[str] = Field(
        [],
        description="Names or addresses under which this node is reached; empty: those that it finds.",
    )
    certificate: Path | None = Field(
        None, description="TLS certificate chain (PEM); without it Loa makes its own."
    )
    certificate_key: Path | None = Field(None, description="Private key of `certificate` (PEM).")
    allow_plain_console: bool = Field(
        False, description="Let passwords, sessions and codes cross the network without TLS. Leave it off."
    )
    allow_plain_push: bool = Field(
        False,
        description="Let encoders push without TLS, password and all; for boxes that know nothing else.",
    )
    trusted_proxies: list[IPv4Network | IPv6Network] = Field(
        [],
        description="Networks (CIDR) of the proxies whose X-Forwarded-For, -Proto and -Host are believed.",
    )
    connections_per_address: int = Field(
        512,
        ge=8,
        description="How many connections one address may have open at a time; linked speakers do not count.",
    )
    listeners_per_address: int = Field(
        200, ge=1, description="How many players of one address may listen to mounts at a time."
    )
    multicast: bool = Field(
        False,
        description="Send to the multicast groups of places, whose devices cannot verify what they play.",
    )
    radio_private_networks: list[IPv4Network | IPv6Network] = Field(
        [],
        description="Networks (CIDR) that are not public and that a radio may be fetched from all the same.",
    )
    profile: Literal["wan", "lan"] = Field(
        "wan", description="wan: 60 ms datagrams; lan: 20 ms, for the least delay."
    )
    latency_ms: int = Field(
        400,
        ge=60,
        le=10_000,
        description="Media time to sound, wherever a place sets nothing else; equal for neighbours.",
    )
    max_upload_mb: int = Field(512, ge=1, description="Largest file that an upload may have.")
    max_upload_s: int = Field(4 * 3600, ge=1, description="Longest recording, in seconds.")
    piper_voices: Path | None = Field(
        None,
        description="Folder of piper's voices (.onnx, each with its .onnx.json), which read texts out before "
        "the built-in ones do; needs the package piper-tts.",
    )
    recordings_days: int = Field(
        30,
        ge=0,
        description="Days that what aired is kept, emergencies ten times as long; 0: nothing is recorded.",
    )
    recordings_gib: int = Field(
        50, ge=1, description="GiB that recordings may take; the oldest go first, emergencies last."
    )
    listen_again_days: int = Field(
        7,
        ge=0,
        description="Days that anybody may hear again what aired, without emergencies; 0 turns it off.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is logged.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, so that a container can be told without a new file."""
        return env_settings, init_settings


class _Flagged(Settings):
    """Read once already: what it is given is final."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load(path: Path | None = None, **given: Any) -> Settings:
    """Read the file (if any) and the environment; `given` are flags of the command line, and win over both.

    A flag of None was not given. Raises ConfigError naming every fault at once.
    """
    values = _read(path) if path else {}
    try:
        settings = Settings(**values)
        flags = {key: value for key, value in given.items() if value is not None}
        return _Flagged(**{**settings.model_dump(), **flags}) if flags else settings
    except ValidationError as error:
        raise ConfigError(_faults(error, path)) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"settings file {path}: {error.strerror}; expected a readable TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"settings file {path}: {error}; expected TOML") from error


def _faults(error: ValidationError, path: Path | None) -> str:
    lines = [f"settings ({path or 'environment and flags'}) have {error.error_count()} fault(s):"]
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            close = difflib.get_close_matches(key, Settings.model_fields, n=1)
            lines.append(f"  {key}: no such setting" + (f"; did you mean {close[0]}?" if close else ""))
        else:
            lines.append(f"  {key}: {fault['msg']} (got {fault['input']!r})")
    return "\n".join(lines)
