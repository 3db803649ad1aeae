"""What the sender connects to: public addresses and trusted certificates only, or what it was told."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cdp_contracts.definitions_v1 import DestinationDefined
from cdp_contracts.topics import DESTINATIONS_DEFINED
from cdp_runtime.codec import encode
from cdp_runtime.settings import tls_context
from cdp_segments.sender.deciding import Answer
from cdp_segments.sender.destinations import Destinations
from cdp_segments.sender.network import is_public
from cdp_segments.sender.posting import Poster
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from webhook_receiver import Reply, receiving

PRIVATE = [
    "127.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::a00:1", "2002:7f00:1::", "ff02::1", "192.0.2.1", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_these_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"]
)
def test_these_are_public(address: str) -> None:
    assert is_public(address)


@given(
    st.sampled_from(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"]), st.data()
)
def test_no_private_address_is_public_however_it_is_written(network: str, data: st.DataObject) -> None:
    inner = data.draw(st.ip_addresses(v=4, network=network))
    for written in (str(inner), f"::ffff:{inner}", str(ipaddress.IPv6Address((0x64FF9B << 96) + int(inner)))):
        assert not is_public(written)


async def tried(url: str, *, hosts: tuple[str, ...] = (), ca: Path | None = None) -> Answer:
    poster = Poster(tls_context(ca, None), hosts)
    try:
        return await poster.post(url, {}, b"{}", 5)
    finally:
        await poster.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
async def test_a_host_inside_gets_nothing_unless_it_is_allowed(host: str) -> None:
    async with receiving() as inside:
        url = f"http://{host}:{inside.port}/"
        assert await tried(url) == Answer(failure="private-address")
        assert inside.connections == 0
        assert await tried(url, hosts=(host,)) == Answer(200)


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as inside, receiving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert await tried(inside.url, hosts=("127.0.0.1",)) == Answer(200)
        assert proxy.connections == 0


async def test_a_host_that_is_not_there_is_tried_again() -> None:
    assert await tried("https://nowhere.invalid/") == Answer(failure="connection")


async def test_a_body_without_end_is_not_read_to_its_end() -> None:
    async with receiving() as inside:
        inside.answers = lambda _: Reply(200, {"Retry-After": "7"}, body=b"x" * 2_000_000)
        assert await tried(inside.url, hosts=("127.0.0.1",)) == Answer(200, retry_after="7")


async def test_garbage_is_no_answer() -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01 this is no HTTP\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await tried(f"http://127.0.0.1:{port}/", hosts=("127.0.0.1",)) == Answer(failure="connection")
    server.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody but its owner trusts, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


async def test_a_certificate_that_nobody_trusts_gets_nothing(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with receiving(context) as receiver:
        allowed = ("127.0.0.1", "localhost")
        assert await tried(receiver.url, hosts=allowed) == Answer(failure="tls")
        elsewhere = receiver.url.replace("127.0.0.1", "localhost")
        assert await tried(elsewhere, hosts=allowed, ca=certificate) == Answer(failure="tls")
        assert receiver.requests == []
        assert await tried(receiver.url, hosts=allowed, ca=certificate) == Answer(200)


def defined(url: str) -> DestinationDefined:
    return DestinationDefined(tenant="demo", name="shop", url=url, segments=("s",), secret="shared", owner="them")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "https://user:pass@a.example/",
        "https://",
        "//a.example",
        "https://a.example/ä",
        "https://a b/",
    ],
)
def test_what_is_no_address_of_an_endpoint_is_no_definition(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        defined(url)


def test_plain_http_is_for_allowed_hosts_and_a_bad_definition_leaves_the_last_good_one() -> None:
    destinations = Destinations(["inside.example"])
    for url in ("https://a.example/1", "http://a.example/2", "http://inside.example/3"):
        record = encode(DESTINATIONS_DEFINED, defined(url), source="test", now=dt.datetime.now(dt.UTC))
        destinations.table.apply("demo/shop", record.value)
        found = destinations.get("demo/shop")
        assert found is not None
        assert found.url != "http://a.example/2"
    assert [each.url for each in destinations.of("demo")] == ["http://inside.example/3"]
