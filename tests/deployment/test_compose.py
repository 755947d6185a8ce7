"""The Compose file: its schema, the service's settings, and the ports and privileges."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from limits import parse_many
from redis import Redis
from sqlalchemy import make_url

from tests.deployment.support import ROOT, VARIABLE, Image, compose, environment
from unspun.service.http.config import Settings, variable

SERVICES = compose()["services"]
EVERY = pytest.mark.parametrize("name", SERVICES)
WORKERS_END = 5.0
"""Seconds that service.http.server gives workers after the timeout."""


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="nothing set"),
        pytest.param(
            {
                "IMAGE": "registry.example.org/unspun:1",
                "PULL_POLICY": "missing",
                "PUBLISH": "0.0.0.0:80",
                "CPUS": "0.5",
                "MEMORY": "4096m",
                "STOP_GRACE_PERIOD": "2m",
                "UNSPUN_RATE_LIMIT": "",
            },
            id="everything set",
        ),
    ],
)
def test_it_is_valid_by_the_compose_schema(tmp_path: Path, variables: dict[str, str]) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text(yaml.safe_dump(compose(**variables)))
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    result = subprocess.run(check, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_up_without_a_profile_starts_only_the_service_and_redis() -> None:
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    assert profiles == {
        "unspun": [],
        "redis": [],
        "postgres": ["feedback"],
        "keys": ["keys"],
        "prometheus": ["observability"],
        "grafana": ["observability"],
        "scheduler": ["cluster"],
        "worker": ["cluster"],
    }


@EVERY
def test_ports_are_open_only_to_this_machine(name: str) -> None:
    assert [port for port in SERVICES[name].get("ports", []) if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize(("name", "network"), [("redis", "limits"), ("postgres", "labels")])
def test_only_the_service_can_reach_a_database(name: str, network: str) -> None:
    assert "ports" not in SERVICES[name]
    members = [other for other, service in SERVICES.items() if network in service.get("networks", [])]
    assert members == ["unspun", name]
    assert compose()["networks"][network] == {"internal": True}
    assert SERVICES[name]["networks"] == [network]


@EVERY
def test_every_container_is_read_only_and_without_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "device_cgroup_rules", "group_add"} & service.keys()


@EVERY
def test_no_container_runs_as_root(name: str, image: Image) -> None:
    user = SERVICES[name].get("user", image.user if "build" in SERVICES[name] else None)
    assert user is not None, "say which user it runs as; the image's may be root"
    assert re.fullmatch(r"[1-9]\d*:\d+", user)


@EVERY
def test_no_container_shares_namespaces_with_the_machine(name: str) -> None:
    shared = ("pid", "ipc", "uts", "userns_mode", "cgroup", "cgroup_parent", "network_mode")
    assert {SERVICES[name].get(option) for option in shared} <= {None, "none"}


@EVERY
def test_containers_see_only_our_settings_of_the_machines_files(name: str) -> None:
    """Not the socket of Docker, for example, through which a container could start others."""
    for volume in SERVICES[name].get("volumes", []):
        source, _, rest = volume.partition(":")
        assert (source.startswith("./deploy/") and rest.endswith(":ro")) or re.fullmatch(r"\w+", source)


@EVERY
def test_every_container_has_limits(name: str) -> None:
    assert {"cpus", "mem_limit", "pids_limit"} <= SERVICES[name].keys()


@EVERY
def test_mounts_networks_and_dependencies_exist(name: str) -> None:
    service, whole = SERVICES[name], compose()
    sources = [volume.partition(":")[0] for volume in service.get("volumes", [])]
    assert [source for source in sources if source.startswith("./") and not (ROOT / source).exists()] == []
    assert {source for source in sources if not source.startswith("./")} <= whole["volumes"].keys()
    assert set(service.get("networks", [])) <= whole["networks"].keys()
    for other, how in service.get("depends_on", {}).items():
        assert how == {"condition": "service_healthy"}
        assert "test" in SERVICES[other]["healthcheck"]


@EVERY
def test_logs_are_bounded(name: str) -> None:
    assert SERVICES[name]["logging"]["options"].keys() == {"max-size", "max-file"}


@EVERY
def test_images_are_built_here_or_pinned_to_a_version(name: str) -> None:
    service = SERVICES[name]
    tag = service["image"].partition(":")[2]
    assert "build" in service or tag.lstrip("v")[:1].isdigit()


class TestTheService:
    def test_every_setting_can_be_set_from_outside(self) -> None:
        # The image sets the address and the port.
        names = {variable(name) for name in Settings.model_fields} - {"UNSPUN_HOST", "UNSPUN_PORT"}
        assert SERVICES["unspun"]["environment"].keys() == names

    def test_its_settings_are_valid(self, image: Image) -> None:
        settings = Settings.from_environment({**image.environment, **environment("unspun")})
        assert settings.redis_url == "redis://redis:6379/0"
        assert settings.keys_file is None

    def test_a_full_batch_is_within_the_rate_limit(self) -> None:
        settings = Settings.from_environment(environment("unspun"))
        assert settings.rate_limit is not None
        assert min(limit.amount for limit in parse_many(settings.rate_limit)) >= settings.max_items

    def test_an_empty_rate_limit_means_no_limit(self) -> None:
        assert Settings.from_environment(environment("unspun", UNSPUN_RATE_LIMIT="")).rate_limit is None

    def test_it_has_time_to_finish_before_it_is_killed(self) -> None:
        settings = Settings.from_environment(environment("unspun"))
        period = float(SERVICES["unspun"]["stop_grace_period"].removesuffix("s"))
        assert period > settings.drain_seconds + settings.timeout + WORKERS_END

    def test_it_has_as_many_workers_as_cores(self) -> None:
        assert float(SERVICES["unspun"]["cpus"]) == Settings.from_environment(environment("unspun")).workers

    def test_it_listens_where_it_is_published(self, image: Image) -> None:
        assert image.environment["UNSPUN_PORT"] == str(image.port)
        assert [port.rpartition(":")[2] for port in SERVICES["unspun"]["ports"]] == [str(image.port)]

    def test_it_can_read_the_keys_but_only_the_command_can_write_them(self) -> None:
        assert "keys:/var/lib/unspun:ro" in SERVICES["unspun"]["volumes"]
        assert SERVICES["keys"]["volumes"] == ["keys:/var/lib/unspun"]
        assert SERVICES["keys"]["entrypoint"][-1].startswith("/var/lib/unspun/")


class TestRedis:
    def test_it_stores_nothing_on_disk(self, redis: Redis) -> None:
        assert redis.config_get("save", "appendonly") == {"save": "", "appendonly": "no"}

    def test_when_full_it_evicts_the_counts_that_expire_soonest(self, redis: Redis) -> None:
        settings = redis.config_get("maxmemory", "maxmemory-policy")
        assert settings == {"maxmemory": str(64 << 20), "maxmemory-policy": "volatile-ttl"}
        assert SERVICES["redis"]["mem_limit"] == "128m"


def test_the_guide_mounts_what_its_settings_of_a_signed_model_name(tmp_path: Path) -> None:
    guide = (ROOT / "docs/deployment.md").read_text("utf-8").partition("### A signed model")[2].partition("\n## ")[0]
    added = guide.partition("```yaml\n")[2].partition("```")[0]
    mounts = [volume.split(":") for volume in yaml.safe_load(added)["services"]["unspun"]["volumes"]]
    assert [how for _, _, how in mounts] == ["ro", "ro"]
    settings = dict(re.findall(r"echo (UNSPUN_\w+)=(\S+)", guide))
    assert settings.keys() == {"UNSPUN_MODEL", "UNSPUN_TRUSTED_KEYS"}
    assert [str(Path(path).parent) for path in settings.values()] == [inside for _, inside, _ in mounts]
    for setting, path in settings.items():
        assert environment("unspun", **{setting: path})[setting] == path
    (tmp_path / "added.yml").write_text(added, "utf-8")
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    assert subprocess.run([*check, str(tmp_path / "added.yml")]).returncode == 0


class TestPostgres:
    def test_the_address_in_the_guide_is_correct(self) -> None:
        guide = (ROOT / "docs/deployment.md").read_text("utf-8")
        [line] = [line for line in guide.splitlines() if "UNSPUN_DATABASE_URL=postgresql://" in line and "echo" in line]
        address = line.partition("UNSPUN_DATABASE_URL=")[2].partition(" ")[0].strip('"')
        settings = Settings.from_environment(environment("unspun", UNSPUN_DATABASE_URL=address))
        assert settings.database_url is not None
        url = make_url(settings.database_url.get_secret_value())
        about = SERVICES["postgres"]["environment"]
        assert (url.host, url.username, url.database) == ("postgres", about["POSTGRES_USER"], about["POSTGRES_DB"])

    def test_the_password_has_no_default(self) -> None:
        assert SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"] == ""
        assert Settings.from_environment(environment("unspun")).database_url is None

    def test_its_data_is_on_a_volume(self) -> None:
        assert SERVICES["postgres"]["volumes"] == ["labels:/var/lib/postgresql/data"]


def test_every_variable_is_documented() -> None:
    guide = "".join((ROOT / "docs" / name).read_text("utf-8") for name in ("deployment.md", "service.md"))
    names = {match["name"] for match in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text("utf-8"))}
    assert sorted(name for name in names if f"`{name}`" not in guide) == []
