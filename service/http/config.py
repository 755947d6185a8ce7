"""The service's settings: `UNSPUN_*` environment variables, checked before anything is loaded."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from unspun.service.machine import cores

PREFIX = "UNSPUN_"
OTHERS = ("UNSPUN_DEBUG", "UNSPUN_SEEDS", "UNSPUN_URL", "UNSPUN_API_KEY", "UNSPUN_MODELS")
"""Variables of other parts of unspun."""
ORCHESTRATED = ("UNSPUN_PORT_", "UNSPUN_SERVICE_")
"""What Kubernetes sets for a service that is called unspun."""


class SettingsError(ValueError):
    """Settings that cannot be used: a line each in `problems`."""

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


def _is_redis(value: str) -> str:
    if not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("not the address of a Redis server; write it like redis://localhost:6379/0")
    return value


def _is_database(value: SecretStr) -> SecretStr:
    try:
        from unspun.service.feedback.database import parse_url
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise ValueError(f"keeping labels needs {missing}: pip install 'unspun[feedback]'") from None
    parse_url(value.get_secret_value())
    return value


def _is_folder(value: Path) -> Path:
    if value.is_symlink() and not value.exists():
        raise ValueError(f"{value} leads to what is not there; `unspun models rollback` or `promote` sets it right")
    if not value.is_dir():
        raise ValueError(f"{value} is no folder; give the one that `unspun train --output` wrote")
    return value


class Settings(BaseModel):
    """How the service runs. A field's environment variable is its name in capitals after `UNSPUN_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 lets the system choose one.")
    workers: int = Field(default_factory=cores, ge=1, le=256, description="Processes that score.")
    model: Annotated[Path, AfterValidator(_is_folder)] | None = Field(
        None, description="Folder of the model. Default: the one that ships."
    )
    keys_file: Path | None = Field(None, description="File of API keys. Set, every request for a verdict needs one.")
    rate_limit: Annotated[str, AfterValidator(_is_rate_limit)] | None = Field(
        None, description="Texts that a key, or else an address, may have scored, such as `120 per minute`."
    )
    redis_url: Annotated[str, AfterValidator(_is_redis)] | None = Field(
        None, description="Redis that counts for the rate limit. Default: each worker counts for itself, in memory."
    )
    database_url: Annotated[SecretStr, AfterValidator(_is_database)] | None = Field(
        None,
        description="Database of the labels that people give to texts (SQLite, PostgreSQL). Default: none is kept.",
    )
    max_bytes: int = Field(10_000_000, ge=1_000, description="Bytes of a request, unpacked; of a line, in a stream.")
    max_words: int = Field(50_000, ge=50, description="Words of a text.")
    max_items: int = Field(1_000, ge=1, description="Texts of a batch.")
    timeout: float = Field(30.0, gt=0, le=3600, description="Seconds to receive a request, and to answer it.")
    queue: int = Field(128, ge=1, description="Requests of a worker that may wait for the model; more are told 503.")
    drain_seconds: float = Field(
        2.0, ge=0, le=600, description="Seconds from SIGTERM, and 503 from /readyz, until the port closes."
    )
    watch_seconds: float = Field(1.0, ge=0, description="How often to look whether the model has changed; 0: never.")
    trusted_proxies: int = Field(0, ge=0, le=16, description="Proxies in front whose X-Forwarded-For is believed.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **options: Any) -> Settings:
        """Read the settings; options that are not None win over the environment. Raises SettingsError."""
        given: dict[str, Any] = {
            name: environment[variable(name)].strip()
            for name in cls.model_fields
            if environment.get(variable(name), "").strip()
        }
        if str(given.get("port", "")).startswith("tcp://"):  # Kubernetes', for a service that is called unspun
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
    """Return a line for each `UNSPUN_*` variable that nothing reads: most likely a slip of the pen."""
    known = [*(variable(name) for name in Settings.model_fields), *OTHERS]
    lines = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known and not name.startswith(ORCHESTRATED):
            near = difflib.get_close_matches(name, known, 1)
            lines.append(f"{name} is no setting" + (f"; is {near[0]} meant?" if near else ""))
    return lines


def _explain(error: Any, options: Mapping[str, Any]) -> str:
    name = str(error["loc"][0])
    where = f"--{name}" if options.get(name) is not None else variable(name)
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{where}: {message}"
    return f"{where}={error['input']}: {message[0].lower()}{message[1:]}"
