"""Local servers that demand TLS and credentials, under certificates that are made for the occasion."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cdp_devstack.servers.local import ApacheKafka, RedisServer, SecantusRust
from cdp_devstack.servers.ports import HOST, free_port, listens
from cdp_devstack.servers.server import Server
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pymongo import MongoClient

USER = "cdp"
PASSWORD = "canary-of-the-password"


class Authority:
    """A certificate authority in a folder: `ca.pem`, and a PEM file of certificate and key for each name."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"authority {folder.name}")])
        constraint = x509.BasicConstraints(ca=True, path_length=0)
        certificate = self._builder(self._name, self._key).add_extension(constraint, critical=True)
        self.file = folder / "ca.pem"
        self.file.write_bytes(pem(certificate.sign(self._key, hashes.SHA256())))

    def issue(self, name: str) -> Path:
        """A certificate for 127.0.0.1 and its key, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
        builder = self._builder(subject, key).add_extension(address, critical=False)
        file = self._folder / f"{name}.pem"
        file.write_bytes(private(key) + pem(builder.sign(self._key, hashes.SHA256())))
        return file

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass(frozen=True, slots=True)
class SecureKafka(ApacheKafka):
    """Beside the listener by which it is known to be up: SASL over TLS, and TLS with client certificates."""

    authority: Path = Path()
    certificate: Path = Path()
    sasl_port: int = field(default_factory=free_port)
    mutual_port: int = field(default_factory=free_port)

    def _java(self, options: Sequence[str], main: str, *arguments: str) -> list[str]:
        if main == "kafka.tools.StorageTool":
            arguments = (*arguments, "--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]")
        return ApacheKafka._java(self, options, main, *arguments)

    def _properties(self) -> str:
        lines = [line.partition("=") for line in ApacheKafka._properties(self).splitlines()]
        values = {name: value for name, _, value in lines}
        more = f",SECURE://{HOST}:{self.sasl_port},MUTUAL://{HOST}:{self.mutual_port}"
        values["listeners"] += more
        values["advertised.listeners"] += more
        values["listener.security.protocol.map"] += ",SECURE:SASL_SSL,MUTUAL:SSL"
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required"
        values |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificate),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority),
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.secure.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.secure.plain.sasl.jaas.config": f'{plain} user_{USER}="{PASSWORD}";',
            "listener.name.secure.scram-sha-512.sasl.jaas.config": f"{scram};",
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())


@dataclass(frozen=True, slots=True)
class SecureRedis(RedisServer):
    """Under TLS alone, with a password and with client certificates."""

    authority: Path = Path()
    certificate: Path = Path()

    @property
    def url(self) -> str:
        return f"rediss://{HOST}:{self.port}/0"

    def options(self) -> list[str]:
        kept = ["0" if option == str(self.port) else option for option in RedisServer.options(self)]
        certificate = str(self.certificate)
        return [
            *kept,
            *("--tls-port", str(self.port), "--tls-cert-file", certificate, "--tls-key-file", certificate),
            *("--tls-ca-cert-file", str(self.authority), "--tls-auth-clients", "optional"),
            *("--requirepass", PASSWORD),
        ]

    def answers(self, pid: int) -> bool:
        return listens(pid, self.port)


@dataclass(frozen=True, slots=True)
class SecureMongo(SecantusRust):
    """Under TLS alone, with users."""

    authority: Path = Path()
    certificate: Path = Path()

    def command(self) -> list[str]:
        certificate = str(self.certificate)
        return [
            *SecantusRust.command(self),
            *("--auth", "--tls-cert-file", certificate, "--tls-key-file", certificate),
        ]

    def answers(self, pid: int) -> bool:
        return listens(pid, self.port)

    def add_user(self) -> None:
        """Before it demands users: the same data under a server that does not."""
        server = Server(SecantusRust(self.folder, self.port))
        server.start()
        try:
            with MongoClient[dict[str, object]](server.url) as client:
                client.admin.command("createUser", USER, pwd=PASSWORD, roles=["root"])
        finally:
            server.stop()


@dataclass(frozen=True, slots=True)
class Secured:
    """All three, running."""

    kafka: SecureKafka
    mongo: SecureMongo
    redis: SecureRedis
    authority: Path
    stranger: Path
    client: Path
    """An authority that signed none of their certificates, and a client's own certificate with its key."""


@contextmanager
def secured(folder: Path) -> Iterator[Secured]:
    """Start the three servers and end them."""
    authority, stranger = Authority(folder / "trusted"), Authority(folder / "stranger")
    trust = {"authority": authority.file, "certificate": authority.issue("server")}
    kafka = SecureKafka(folder / "kafka", free_port(), **trust)
    mongo = SecureMongo(folder / "mongo", free_port(), **trust)
    redis = SecureRedis(folder / "redis", free_port(), **trust)
    servers = [Server(program) for program in (kafka, redis, mongo)]
    try:
        for server in servers[:2]:
            server.launch()
        mongo.add_user()
        servers[2].launch()
        for server in servers:
            server.wait_ready()
        yield Secured(kafka, mongo, redis, authority.file, stranger.file, authority.issue("client"))
    finally:
        for server in servers:
            server.kill()
