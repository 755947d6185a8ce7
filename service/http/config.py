"""The service's settings: `UNSPUN_*` environment variables, checked before anything is loaded."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from unspun.model.onnx_session import Device, check_device
from unspun.model.signing import TrustedKeys
from unspun.model.text.allowed import Allowed
from unspun.reading.documents.isolation import LIMITS
from unspun.service.machine import cores

PREFIX = "UNSPUN_"
OTHERS = ("UNSPUN_DEBUG", "UNSPUN_SEEDS", "UNSPUN_URL", "UNSPUN_API_KEY", "UNSPUN_MODELS", "UNSPUN_PASSPHRASE")
"""Variables of other parts of unspun."""
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
"""The origin of a page, in small letters. Browser extensions have schemes of their own."""
OPTIONS = {"allow_file": "--allow"}
"""Options of `unspun serve` that are not named like their setting."""
ORCHESTRATED = ("UNSPUN_PORT_", "UNSPUN_SERVICE_")
"""Variables that Kubernetes sets for a service that is named unspun."""


class SettingsError(ValueError):
    """Invalid settings; `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _is_rate_limit(value: str) -> str:
    from limits import parse_many

    try:
        parse_many(value)
    except ValueError:
        raise ValueError("not a rate limit; write it like '120 per minute' or '10/second;1000/hour'") from None
    return value


def _are_ports(value: str) -> str:
    ports = [one.strip() for one in value.split(",")]
    for port in ports:
        if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65_536):
            raise ValueError(f"{port!r} is not a port; write them like '80,443'")
    return ",".join(ports)


def _are_origins(value: str) -> str:
    if value == "*":
        return value
    origins = [one.strip() for one in value.lower().split(",")]
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise ValueError(
                f"{origin!r} is not an origin; write it like https://example.org, without a path or a slash "
                "at the end, or use * alone for all origins"
            )
    # Browsers leave the standard port out.
    return ",".join(re.sub(r"^(http://.*):80$|^(https://.*):443$", r"\1\2", origin) for origin in origins)


def _is_redis(value: str) -> str:
    if not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("not the address of a Redis server; write it like redis://localhost:6379/0")
    return value


def _is_database(value: SecretStr) -> SecretStr:
    try:
        from unspun.service.feedback.database import parse_url
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise ValueError(f"storing labels needs {missing}: pip install 'unspun[feedback]'") from None
    parse_url(value.get_secret_value())
    return value


def _named(value: Any) -> Path | None:
    from unspun.model.bundle import SHIPPED, find

    return None if value is None or str(value) == SHIPPED else find(value)


def _is_folder(value: Path) -> Path:
    if value.is_symlink() and not value.exists():
        raise ValueError(f"{value} is a broken link; use `unspun models rollback` or `promote`")
    if not value.is_dir():
        raise ValueError(f"{value} is not a folder; set it to one that `unspun train --output` wrote")
    return value


def _is_allow_list(value: Path) -> Path:
    Allowed.read(value)
    return value


def _is_list_of_keys(value: Path) -> Path:
    TrustedKeys.read(value)
    return value


class Settings(BaseModel):
    """The settings of the service. Each is read from `UNSPUN_` and its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 listens on all.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 lets the system choose.")
    workers: int = Field(
        default_factory=cores,
        ge=1,
        le=256,
        description="Processes that score texts. Default: one per core.",
    )
    model: Annotated[Annotated[Path, AfterValidator(_is_folder)] | None, BeforeValidator(_named)] = Field(
        None, description="Folder of the model. Default: `default`, the model that ships with unspun."
    )
    trusted_keys: Annotated[Path, AfterValidator(_is_list_of_keys)] | None = Field(
        None,
        description="File of public keys, one of which must have signed the model. Default: no signature is needed.",
    )
    allow_file: Annotated[Path, AfterValidator(_is_allow_list)] | None = Field(
        None, description="File of terms that are never evidence, one per line. Default: no terms."
    )
    device: Annotated[Device, AfterValidator(check_device)] = Field(
        "cpu", description="Where the deep tier runs: `cpu`, or `cuda` for an NVIDIA GPU."
    )
    keys_file: Path | None = Field(
        None,
        description="File of API keys. If set, verdicts require a key.",
    )
    rate_limit: Annotated[str, AfterValidator(_is_rate_limit)] | None = Field(
        None,
        description="Texts per API key, or per address without one, such as `120 per minute`. Default: no limit.",
    )
    redis_url: Annotated[str, AfterValidator(_is_redis)] | None = Field(
        None,
        description="Redis server that counts for the rate limit. Default: each worker counts on its own.",
    )
    database_url: Annotated[SecretStr, AfterValidator(_is_database)] | None = Field(
        None,
        description="Database for people's labels of texts (SQLite or PostgreSQL). Default: labels are not stored.",
    )
    max_bytes: int = Field(
        10_000_000, ge=1_000, description="Most bytes of a body, or of a line in a stream, uncompressed."
    )
    max_words: int = Field(50_000, ge=50, description="Most words of a text.")
    max_items: int = Field(1_000, ge=1, description="Most texts in a batch.")
    document_seconds: int = Field(
        LIMITS.seconds,
        ge=1,
        description="Most seconds for reading one PDF, DOCX, ODT, RTF or EPUB; never more than the timeout.",
    )
    document_memory: int = Field(
        LIMITS.megabytes, ge=32, description="Most megabytes of memory for reading one of these."
    )
    timeout: float = Field(30.0, gt=0, le=3600, description="Most seconds to receive a request, and to answer it.")
    queue: int = Field(128, ge=1, description="Requests per worker that may wait for the model; others get 503.")
    drain_seconds: float = Field(
        2.0,
        ge=0,
        le=600,
        description="Seconds from SIGTERM, when /readyz answers 503, to closing the port.",
    )
    watch_seconds: float = Field(1.0, ge=0, description="Seconds between checks for a changed model; 0 turns them off.")
    fetch_urls: bool = Field(
        False, description="Whether the service fetches web addresses that people ask about. Only public ones."
    )
    fetch_ports: Annotated[str, AfterValidator(_are_ports)] = Field(
        "80,443", description="Ports from which web addresses are fetched, with commas."
    )
    fetch_seconds: float = Field(10.0, gt=0, le=3600, description="Most seconds to fetch one web address.")
    cors_origins: Annotated[str, AfterValidator(_are_origins)] | None = Field(
        None,
        description=(
            "Origins whose pages may use the API from a browser, with commas, such as `https://example.org`; `*` is "
            "all. Default: none."
        ),
    )
    trusted_proxies: int = Field(0, ge=0, le=16, description="Proxies in front whose X-Forwarded-For is trusted.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **options: Any) -> Settings:
        """Read the settings; options that are not None override the environment. Raises SettingsError."""
        given: dict[str, Any] = {
            name: environment[variable(name)].strip()
            for name in cls.model_fields
            if environment.get(variable(name), "").strip()
        }
        if str(given.get("port", "")).startswith("tcp://"):  # set by Kubernetes for a service that is named unspun
            del given["port"]
        given |= {name: value for name, value in options.items() if value is not None}
        try:
            return cls(**given)
        except ValidationError as error:
            raise SettingsError([_explain(item, options) for item in error.errors(include_url=False)]) from None


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a line for each unknown `UNSPUN_*` variable, which is probably a typing error."""
    known = [*(variable(name) for name in Settings.model_fields), *OTHERS]
    lines = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known and not name.startswith(ORCHESTRATED):
            near = difflib.get_close_matches(name, known, 1)
            lines.append(f"{name}: unknown setting" + (f"; did you mean {near[0]}?" if near else ""))
    return lines


def _explain(error: Any, options: Mapping[str, Any]) -> str:
    name = str(error["loc"][0])
    where = OPTIONS.get(name, f"--{name}") if options.get(name) is not None else variable(name)
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{where}: {message}"
    return f"{where}={error['input']}: {message[0].lower()}{message[1:]}"
