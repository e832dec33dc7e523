"""The credentials of a role that is assumed with other credentials.

API: AWS Security Token Service, AssumeRole.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from botocore.credentials import RefreshableCredentials

from monitor.aws.credentials import CredentialCache
from monitor.aws.errors import Fault, NoCredentialsFoundError, RoleRefusedError, fault
from monitor.model.errors import Reason

ASSUME_ROLE = "AssumeRole"
SESSION_NAME = "stackset-monitor"
"""The RoleSessionName, which CloudTrail of the other account shows."""


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """A role and the credentials that it is assumed with. A `CredentialProvider`."""

    role_arn: str
    external_id: str | None
    external_id_file: Path | None
    """Read for each AssumeRole, so that a rotated external id needs no restart."""
    base: CredentialCache
    create_client: Callable[..., Any]
    """Creates a client from a service name and, as keywords, credentials (botocore: Session.create_client)."""

    def get_credentials(self) -> RefreshableCredentials:
        """Assume the role. If AWS does not accept the base credentials, find them again and try once more.

        Raises:
            NoCredentialsFoundError: there are no base credentials.
            RoleRefusedError: the role cannot be assumed.
        """
        held = self.base.held
        try:
            return self._assume()
        except RoleRefusedError as error:
            if error.fault.reason is not Reason.CREDENTIALS or held is None:
                raise
        self.base.forget(held)
        try:
            return self._assume()
        except RoleRefusedError:
            self.base.forget(self.base.held)  # the next poll finds them again, without a restart
            raise

    def _assume(self) -> RefreshableCredentials:
        base = self.base.get_frozen_credentials()
        arguments = {"RoleArn": self.role_arn, "RoleSessionName": SESSION_NAME}
        if (external_id := self._external_id()) is not None:
            arguments["ExternalId"] = external_id
        try:
            client = self.create_client(
                "sts",
                aws_access_key_id=base.access_key,
                aws_secret_access_key=base.secret_key,
                aws_session_token=base.token,
            )
            found = client.assume_role(**arguments)["Credentials"]
            metadata = {
                "access_key": found["AccessKeyId"],
                "secret_key": found["SecretAccessKey"],
                "token": found["SessionToken"],
                "expiry_time": found["Expiration"].isoformat(),
            }
        except NoCredentialsFoundError:
            raise
        except Exception as error:
            raise self._refused(fault(error)) from error
        return RefreshableCredentials.create_from_metadata(metadata, lambda: metadata, ASSUME_ROLE)

    def _external_id(self) -> str | None:
        if self.external_id_file is None:
            return self.external_id
        try:
            return self.external_id_file.read_text().strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            message = f"the external id file {self.external_id_file} cannot be read: {why}"
            raise self._refused(Fault(Reason.CREDENTIALS, type(error).__name__, message, passing=False)) from error

    def _refused(self, seen: Fault) -> RoleRefusedError:
        message = f"the role {self.role_arn} cannot be assumed: {seen.message}"
        return RoleRefusedError(replace(seen, message=message))
