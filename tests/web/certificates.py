"""A certificate authority for tests, and web configuration files that use its certificates."""

import ssl
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

import trustme

TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
MUTUAL = """
tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: clients.pem
"""


@dataclass
class WebFolder:
    """A folder with `web.yml`, `server.pem`, `server.key`, and the authority of clients in `clients.pem`."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)
    clients: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        """Write all files."""
        self.issue(self.ca)
        self.clients.cert_pem.write_to_path(str(self.folder / "clients.pem"))
        self.write(TLS)

    @property
    def config(self) -> Path:
        """Return the path of the web configuration file."""
        return self.folder / "web.yml"

    def write(self, text: str) -> Path:
        """Write the web configuration file, and return its path."""
        self.config.write_text(text)
        return self.config

    def issue(self, ca: trustme.CA) -> trustme.LeafCert:
        """Write a new server certificate and its key."""
        issued = ca.issue_cert("127.0.0.1", "localhost")
        (self.folder / "server.pem").write_bytes(issued.cert_chain_pems[0].bytes())
        issued.private_key_pem.write_to_path(str(self.folder / "server.key"))
        return issued

    def trust(self, ca: trustme.CA | None = None) -> ssl.SSLContext:
        """Return the TLS context of a client that trusts an authority."""
        context = ssl.create_default_context()
        (ca or self.ca).configure_trust(context)
        return context

    def trust_as(self, *names: str, ca: trustme.CA | None = None, not_after: datetime | None = None) -> ssl.SSLContext:
        """Return the same for a client that has a certificate."""
        context = self.trust()
        (ca or self.clients).issue_cert(*names, not_after=not_after).configure_cert(context)
        return context

    @cached_property
    def ca_file(self) -> Path:
        """Return the path of the server's authority, for programs."""
        path = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(path))
        return path

    def client_file(self, name: str) -> Path:
        """Return the path of a client certificate and its key in one file, for programs."""
        path = self.folder / f"{name}.pem"
        self.clients.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(path))
        return path
