"""The credentials of a role that is assumed with other credentials.

API: AWS Security Token Service, AssumeRole.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from botocore.credentials import AssumeRoleCredentialFetcher, RefreshableCredentials

from monitor.aws.background import current_deadline
from monitor.aws.credentials import CredentialCache
from monitor.aws.errors import NoCredentialsFoundError, RoleRefusedError, fault
from monitor.config.validation import path_of_secret, read_file
from monitor.model.errors import PollFailedError, Reason

ASSUME_ROLE = "AssumeRole"
# The RoleSessionName, which CloudTrail of the other account shows.
SESSION_NAME = "stackset-monitor"


@dataclass(frozen=True, slots=True)
class Role:
    """A role and the credentials that it is assumed with."""

    arn: str
    external_id: str | None
    external_id_file: Path | None
    """Read for each AssumeRole, so that a rotated external id needs no restart."""
    base: CredentialCache
    create_client: Callable[..., Any]
    """Creates a client from a service name and, as keywords, credentials (botocore: Session.create_client)."""

    def assume(self) -> RefreshableCredentials:
        """Assume the role. If AWS does not accept the base credentials, find them again and try once more.

        Raises:
            NoCredentialsFoundError: there are no base credentials.
            RoleRefusedError: the role cannot be assumed.
        """
        return self.base.renew_if_rejected(self._assume)

    def _assume(self) -> RefreshableCredentials:
        try:
            arguments = {"RoleSessionName": SESSION_NAME}
            if (external_id := self._external_id()) is not None:
                arguments["ExternalId"] = external_id
            fetch = AssumeRoleCredentialFetcher(self.create_client, self.base, self.arn, arguments).fetch_credentials
            return RefreshableCredentials.create_from_metadata(fetch(), fetch, ASSUME_ROLE)
        except Exception as error:
            # Neither missing base credentials nor a timeout are the fault of the role.
            if isinstance(error, NoCredentialsFoundError) or not current_deadline().remaining():
                raise
            seen = fault(error)
            message = f"the role {self.arn} cannot be assumed: {seen.message}"
            raise RoleRefusedError(replace(seen, message=message)) from error

    def _external_id(self) -> str | None:
        if self.external_id_file is None:
            return self.external_id
        try:
            return read_file(self.external_id_file).decode().strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            message = f"external_id_file: cannot read {path_of_secret(self.external_id_file, error)}: {why}"
            raise PollFailedError(Reason.CREDENTIALS, type(error).__name__, message) from error
