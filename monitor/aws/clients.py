"""The boto3 clients of one source: its session, its credentials, its role, all over one wire."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import botocore.session
from boto3.session import Session
from botocore.config import Config
from botocore.loaders import Loader, create_loader

from monitor import __version__
from monitor.aws.credentials import KeptCredentials
from monitor.aws.roles import AssumedRole
from monitor.aws.wire import CONNECT_TIMEOUT, READ_TIMEOUT, ApiObserver, Wire
from monitor.config.settings import SourceSettings

DEFAULT_ATTEMPTS = 3
"""Attempts a call where neither AWS_MAX_ATTEMPTS nor the AWS configuration file says: botocore's own default."""


@dataclass(frozen=True, slots=True)
class Clients:
    """What calls are made with."""

    service_catalog: Any
    make_sts: Callable[[], Any]
    """Only a preflight asks who we are: the client is made when it is needed."""
    credentials: KeptCredentials
    attempts: int
    """Of each call, the first included."""


def connect(settings: SourceSettings, observer: ApiObserver, wire: Wire) -> Clients:
    """Make the clients; nothing is called yet. Raises botocore's own errors, for a missing Region or profile."""
    core = _session(settings, wire)
    credentials = _credentials(settings, observer, wire)
    core.register_component("credential_provider", credentials)
    attempts = int(core.get_config_variable("max_attempts") or DEFAULT_ATTEMPTS)
    session = Session(botocore_session=core)
    return Clients(session.client("servicecatalog"), lambda: session.client("sts"), credentials, attempts)


def _credentials(settings: SourceSettings, observer: ApiObserver, wire: Wire) -> KeptCredentials:
    """Return the ambient credentials, or those of the role that is assumed with them."""
    ambient = KeptCredentials(lambda: _session(settings, wire), observer)
    if settings.role_arn is None:
        return ambient
    role = AssumedRole(settings.role_arn, settings.external_id, ambient, _session(settings, wire).create_client)
    return KeptCredentials(lambda: role, observer)


def _session(settings: SourceSettings, wire: Wire) -> botocore.session.Session:
    """Return a new session, whose clients send over our wire, also those that get credentials."""
    session = botocore.session.get_session()
    if settings.region is not None:
        session.set_config_variable("region", settings.region)
    # The one in the source's own Region: a failure of another Region is none of its business.
    session.set_config_variable("sts_regional_endpoints", "regional")
    session.set_default_client_config(
        Config(
            # One attempt: the attempts are made in calls.py, where a wait ends with the deadline.
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            user_agent_extra=f"stackset-monitor/{__version__}",
        )
    )
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    wire.serve(session)
    return session


@functools.cache
def _loader(data_path: str | None) -> Loader:
    """Read the descriptions of the APIs once for all sources: 9 MB and 0.1 s for each of them otherwise."""
    return create_loader(data_path)
