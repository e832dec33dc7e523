"""The boto3 clients of one source."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader, create_loader

from monitor import __version__
from monitor.aws.credentials import CredentialCache
from monitor.aws.http_session import CONNECT_TIMEOUT, READ_TIMEOUT
from monitor.aws.roles import Role
from monitor.aws.transport import ApiObserver, Transport
from monitor.config.settings import SourceSettings

_CONFIG = Config(
    # One attempt: caller.py retries, since a wait there ends with the deadline.
    retries={"total_max_attempts": 1, "mode": "standard"},
    connect_timeout=CONNECT_TIMEOUT,
    read_timeout=READ_TIMEOUT,
    # Fixed, because botocore otherwise composes it again for each call. boto3 adds the version of botocore.
    user_agent=f"stackset-monitor/{__version__} Boto3/{boto3.__version__}",
    # The arguments are constants, or checked by monitor.config.
    parameter_validation=False,
)


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients and credentials of a source."""

    service_catalog: Any
    create_sts: Callable[[], Any]
    """Only `check --aws` needs this client."""
    create_cloudformation: Callable[[], Any]
    """Only `details` needs this client, and it reads another API description, in 0.1 s."""
    credentials: CredentialCache
    attempts: int | None
    """Attempts a call by AWS_MAX_ATTEMPTS or `max_attempts` of the AWS configuration file; None if neither is set."""


def create_clients(settings: SourceSettings, observer: ApiObserver, transport: Transport) -> Clients:
    """Create the clients; no request is sent yet.

    Raises:
        BotoCoreError: for example, the Region or the profile is missing.
        ValueError: an environment variable or a setting of the AWS configuration file is wrong.
    """
    core = _session(settings, transport)
    credentials = _credentials(settings, observer, transport)
    core.register_component("credential_provider", credentials)
    attempts = core.get_config_variable("max_attempts")
    session = boto3.Session(botocore_session=core)
    return Clients(
        session.client("servicecatalog"),
        lambda: session.client("sts"),
        lambda: session.client("cloudformation"),
        credentials,
        None if attempts is None else int(attempts),
    )


def _credentials(settings: SourceSettings, observer: ApiObserver, transport: Transport) -> CredentialCache:
    # A new session each time: it reads the environment and the files again.
    base = CredentialCache(lambda: _session(settings, transport).get_credentials(), observer)
    if settings.role_arn is None:
        return base
    role = Role(
        settings.role_arn,
        settings.external_id,
        settings.external_id_file,
        base,
        _session(settings, transport).create_client,
    )
    return CredentialCache(role.assume, observer)


def _session(settings: SourceSettings, transport: Transport) -> botocore.session.Session:
    session = botocore.session.get_session()
    if settings.profile is not None:
        session.set_config_variable("profile", settings.profile)
    if settings.region is not None:
        session.set_config_variable("region", settings.region)
    # STS of the source's own Region: an outage of another Region must not matter.
    session.set_config_variable("sts_regional_endpoints", "regional")
    session.set_default_client_config(_CONFIG)
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    # Also the clients that get credentials: a role must be assumed under the same deadline and redaction.
    transport.install(session)
    return session


@functools.cache
def _loader(data_path: str | None) -> Loader:
    # One loader for all sources, since each one reads the API descriptions again, which takes 9 MB and 0.1 s.
    return create_loader(data_path)
