"""Credentials of a role that is assumed with others: STS AssumeRole, again before they end.

API: AWS Security Token Service, AssumeRole.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from botocore.credentials import RefreshableCredentials

from monitor.aws.errors import NoCredentialsFoundError, RoleRefusedError, fault
from monitor.model.errors import Reason

if TYPE_CHECKING:
    from monitor.aws.credentials import KeptCredentials

ASSUME_ROLE = "AssumeRole"
SESSION_NAME = "stackset-monitor"
"""The RoleSessionName: what CloudTrail of the other account shows."""


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """A role, and whose credentials it is assumed with. Stands in for a session, whose credentials are the role's."""

    role_arn: str
    external_id: str | None
    ambient: "KeptCredentials"
    create_client: Callable[..., Any]
    """Makes a client: the name of a service, and the credentials as keywords (botocore: Session.create_client)."""

    def get_credentials(self) -> RefreshableCredentials:
        """Assume the role. Raises `NoCredentialsFoundError`, a `RoleRefusedError` where it is the role's fault."""
        return RefreshableCredentials.create_from_metadata(self._assume(), self._assume, ASSUME_ROLE)

    def _assume(self) -> dict[str, Any]:
        """Assume the role; where AWS does not take the ambient credentials any more, once more with what is found."""
        held = self.ambient.held
        try:
            return self._call()
        except RoleRefusedError as error:
            if error.fault.reason is not Reason.CREDENTIALS or held is None:
                raise
        self.ambient.forget(held)
        try:
            return self._call()
        except RoleRefusedError:
            self.ambient.forget(self.ambient.held)  # the next poll looks for them anew, without a restart
            raise

    def _call(self) -> dict[str, Any]:
        frozen = self.ambient.get_frozen_credentials()
        arguments = {"RoleArn": self.role_arn, "RoleSessionName": SESSION_NAME}
        if self.external_id is not None:
            arguments["ExternalId"] = self.external_id
        try:
            client = self.create_client(
                "sts",
                aws_access_key_id=frozen.access_key,
                aws_secret_access_key=frozen.secret_key,
                aws_session_token=frozen.token,
            )
            found = client.assume_role(**arguments)["Credentials"]
            return {
                "access_key": found["AccessKeyId"],
                "secret_key": found["SecretAccessKey"],
                "token": found["SessionToken"],
                "expiry_time": found["Expiration"].isoformat(),
            }
        except NoCredentialsFoundError:
            raise
        except Exception as error:
            seen = fault(error)
            message = f"the role {self.role_arn} cannot be assumed: {seen.message}"
            raise RoleRefusedError(replace(seen, message=message)) from error
