"""The regions that the settings accept, and the certificate authorities that the functions have."""

import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from components.lambda_package import CERTIFICATES, FUNCTIONS
from settings.types import REGIONS

AUTHORITIES = ("RSA2048", "RSA4096", "ECC384")
"""The kinds of certificate authority that `database.ca_certificate` can choose."""


def test_every_accepted_region_has_its_certificate_authorities_and_no_other_has() -> None:
    """Without them every probe in the region fails on TLS."""
    bundle = x509.load_pem_x509_certificates((FUNCTIONS / CERTIFICATES).read_bytes())
    names = [str(each.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value) for each in bundle]
    assert sorted(names) == sorted(
        f"Amazon RDS {region} Root CA {authority} G1" for region in REGIONS for authority in AUTHORITIES
    )


def test_certificate_authorities_sign_themselves_and_are_valid_for_years() -> None:
    """A root that another one signs, or one that is about to expire, belongs to no region's chain."""
    horizon = datetime.datetime(2035, 1, 1, tzinfo=datetime.UTC)
    for each in x509.load_pem_x509_certificates((FUNCTIONS / CERTIFICATES).read_bytes()):
        each.verify_directly_issued_by(each)
        assert each.not_valid_after_utc > horizon
