"""The query parameters of the API, and what is wrong with them in a sentence."""

from collections.abc import Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from monitor.model.instances import Status
from monitor.model.paging import MAX_LIMIT, InstanceFilter
from monitor.web.queries import DEFAULT_SINCE

DEFAULT_LIMIT = 100

Accounts = Annotated[list[str], Field(description="Only these AWS accounts. Repeat the parameter for several.")]
Products = Annotated[
    list[str], Field(description="Only these provisioned products, by ID or name. Repeat the parameter for several.")
]


class StatusAfter(StrEnum):
    """The status of a stack instance after a transition."""

    CURRENT = "CURRENT"
    OUTDATED = "OUTDATED"
    INOPERABLE = "INOPERABLE"
    UNKNOWN = "UNKNOWN"
    ABSENT = "ABSENT"


class Parameters(BaseModel):
    """No parameters."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, parameters: Any) -> Any:
        """Refuse a misspelled parameter: without it, the response would have more than was asked for."""
        for name in parameters:
            if name not in cls.model_fields:
                similar = get_close_matches(name, cls.model_fields, n=1)
                hint = (
                    f"did you mean {similar[0]!r}?" if similar else f"there is {', '.join(cls.model_fields) or 'none'}"
                )
                message = f"there is no parameter {name!r:.80}; {hint}"
                raise PydanticCustomError("sentence", "{message}", {"message": message})
        return parameters


class Paging(Parameters):
    """How much to return, and where to begin."""

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="The most items to return.")
    cursor: str | None = Field(None, description="The cursor of the page before, to continue after its last item.")


class InstanceParameters(Paging):
    """Which stack instances of a product to return."""

    status: list[Status] = Field([], description="Only these statuses. Repeat the parameter for several.")
    account: Accounts = []
    region: list[str] = Field([], description="Only these Regions. Repeat the parameter for several.")

    def filter(self) -> InstanceFilter:
        """Return the filter."""
        return InstanceFilter(frozenset(self.status), frozenset(self.account), frozenset(self.region))


class FleetInstanceParameters(InstanceParameters):
    """Which stack instances of all products to return."""

    product: Products = []


class TransitionParameters(Paging):
    """Which transitions to return."""

    since: str = Field(
        DEFAULT_SINCE,
        description=(
            "Only transitions that were observed since then: a duration before now like 90m, 24h or 7d, or a time in"
            " RFC 3339."
        ),
    )
    product: Products = []
    account: Accounts = []
    status: list[StatusAfter] = Field(
        [], description="Only transitions to these statuses; ABSENT: the stack instance disappeared."
    )

    def statuses(self) -> frozenset[Status | None]:
        """Return the statuses; None for a stack instance that disappeared."""
        return frozenset(None if one is StatusAfter.ABSENT else Status(one) for one in self.status)


def explain(errors: Sequence[Any]) -> str:
    """Return a sentence for the first error that pydantic found in parameters."""
    error = errors[0]
    name, shown = error["loc"][-1], f"{error['input']!r:.80}"
    if isinstance(name, int):  # the place in a parameter that was repeated
        name = error["loc"][-2]
    match error["type"]:
        case "sentence":
            return str(error["msg"])
        case "int_parsing" | "int_parsing_size":
            return f"{name}: {shown} is not a whole number"
        case "greater_than_equal" | "less_than_equal":
            return f"{name}: {shown} is not from 1 to {MAX_LIMIT}"
        case "enum":
            return f"{name}: {shown} is not {error['ctx']['expected'].replace(chr(39), '')}"
    return f"{name}: {shown}: {error['msg']}"
