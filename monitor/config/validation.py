"""Reading and validating a YAML file. The monitor's own file and the web configuration file share this code."""

import errno
import os
import select
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from monitor.config.document import Document, Problem, read_document
from monitor.config.errors import ConfigurationError
from monitor.config.messages import key_filter, schema_problems

# Size limit of a configuration file. Without one, /dev/zero is read for ever and 50 MB of YAML take 26 s.
MAX_BYTES = 4 * 1024 * 1024
# How long a pipe may take to deliver the file, as in `--config <(helm template ...)`.
READ_SECONDS = 5.0
_CHUNK_BYTES = 1024 * 1024

Schema = TypeVar("Schema", bound=BaseModel)


def read_file(path: Path) -> bytes:
    """Return the content of a file.

    Raises `OSError` if it cannot be read: also for more than `MAX_BYTES` (EFBIG), and for a pipe that sends no
    end of file within `READ_SECONDS` (ETIMEDOUT).
    """
    end = time.monotonic() + READ_SECONDS
    # Without O_NONBLOCK, opening a FIFO waits until another process opens it for writing.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        waiter = select.poll()
        waiter.register(descriptor, select.POLLIN)
        content = b""
        while len(content) <= MAX_BYTES:
            if not waiter.poll(max(0.0, end - time.monotonic()) * 1000):
                raise OSError(errno.ETIMEDOUT, f"not complete after {READ_SECONDS:g} s", str(path))
            chunk = os.read(descriptor, _CHUNK_BYTES)
            if not chunk:
                return content
            content += chunk
    finally:
        os.close(descriptor)
    raise OSError(errno.EFBIG, f"larger than {MAX_BYTES // 1024**2} MiB", str(path))


def path_of_secret(path: Path, error: Exception) -> str:
    """Return how a message names the file of a secret that could not be read.

    If there is no such file, the value may be the secret itself, written in place of a path.
    """
    missing = isinstance(error, OSError) and error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
    return "the file that it names" if missing else f'"{path}"'


def validate(
    text: bytes,
    path: Path,
    schema: type[Schema],
    cross_checks: Callable[[Document], Iterable[Problem]],
    *,
    if_empty: str,
) -> tuple[Schema, Document]:
    """Return the validated content of the file at `path`, and the document with its line numbers.

    `cross_checks` finds the problems between keys that are valid one by one. `if_empty` is the problem of a file
    without content. Raises `ConfigurationError` with every problem of the file.
    """
    document = read_document(text, key_filter(schema))
    problems = list(document.problems)
    validated = None
    if document.value is None and not problems:
        problems.append(Problem(1, "", if_empty))
    elif document.value is not None:
        try:
            validated = schema.model_validate(document.value)
        except ValidationError as error:
            problems.extend(schema_problems(error, document, schema))
        problems.extend(cross_checks(document))
    if problems or validated is None:
        raise ConfigurationError(path, problems)
    return validated, document
