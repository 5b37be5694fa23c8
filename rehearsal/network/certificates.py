"""A temporary certificate authority and server certificates for the database names.

A private key is readable by its owner only. The certificates pass Python's strict verification.
"""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=2)
_LONGEST_COMMON_NAME = 64  # RFC 5280; longer endpoint names are in the SANs only


@dataclass(frozen=True, kw_only=True)
class CertificateAuthority:
    """A certificate authority with its files in one directory."""

    directory: Path
    bundle: Path  # PEM; the functions' CA_BUNDLE
    _key: ec.EllipticCurvePrivateKey = field(repr=False)
    _certificate: x509.Certificate = field(repr=False)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    @classmethod
    def create(cls, directory: Path) -> CertificateAuthority:
        """Create the CA, the directory and the bundle."""
        directory.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rehearsal root CA")])
        builder = _builder(subject=name, issuer=name, key=key, authority=key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
        certificate = builder.sign(key, hashes.SHA256())
        bundle = directory / "ca.pem"
        bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(directory=directory, bundle=bundle, _key=key, _certificate=certificate)

    def server_context(self, host_names: Sequence[str]) -> ssl.SSLContext:
        """Return a server's TLS context with a new certificate for these names. Wildcards are allowed.

        Raises:
            ValueError: `host_names` is empty.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server_certificate(host_names))
        return context

    def server_certificate(self, host_names: Sequence[str]) -> Path:
        """Return the file of a new certificate and its private key for these names. Wildcards are allowed.

        Raises:
            ValueError: `host_names` is empty.
        """
        if not host_names:
            raise ValueError("host_names: a server certificate needs a name. Give at least one.")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host_names[0][:_LONGEST_COMMON_NAME])])
        builder = _builder(subject=subject, issuer=self._certificate.subject, key=key, authority=self._key)
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in host_names])
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(usage, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        path = self.directory / f"server-{next(self._numbers)}.pem"
        path.touch(mode=0o600)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def client_context(self) -> ssl.SSLContext:
        """Return a client's TLS context that trusts only this CA and verifies host names."""
        return ssl.create_default_context(cafile=str(self.bundle))


def _builder(
    *, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, authority: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + _LIFETIME)
    subject_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    return builder.add_extension(subject_id, critical=False).add_extension(authority_id, critical=False)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        **dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False),
        encipher_only=False,
        decipher_only=False,
    )
