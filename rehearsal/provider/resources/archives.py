"""The reproducible zip of a Lambda function, made from Pulumi's assets.

The entries are sorted and have a fixed date and mode: the hash changes only with the code.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pulumi

from rehearsal.provider.resources.handler import HandlerError

FIXED_DATE = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o644


def zip_archive(archive: object, *, base: Path) -> bytes:
    """Return the zip of an archive with paths relative to `base`.

    Raises: HandlerError for an unsupported kind of archive or a missing file.
    """
    if isinstance(archive, pulumi.FileArchive):
        return _read(base / archive.path)  # The engine uploads a zip as it is.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in sorted(_entries("", archive, base).items()):
            entry = zipfile.ZipInfo(name, FIXED_DATE)
            entry.external_attr = FILE_MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, content)
    return buffer.getvalue()


def content_hash(archive: object, *, base: Path) -> str:
    """Return the hash of an archive's files. Raises the same errors as `zip_archive`."""
    digest = hashlib.sha256()
    for name, content in sorted(_entries("", archive, base).items()):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _entries(name: str, asset: object, base: Path) -> dict[str, bytes]:
    if isinstance(asset, pulumi.AssetArchive):
        return {
            path: content
            for key, element in asset.assets.items()
            for path, content in _entries(f"{name}/{key}" if name else key, element, base).items()
        }
    if isinstance(asset, pulumi.StringAsset):
        return {name: asset.text.encode()}
    if isinstance(asset, pulumi.FileAsset):
        return {name: _read(base / asset.path)}
    if isinstance(asset, pulumi.FileArchive):
        with zipfile.ZipFile(io.BytesIO(_read(base / asset.path))) as source:
            return {f"{name}/{inside}" if name else inside: source.read(inside) for inside in source.namelist()}
    raise HandlerError(f"an archive of kind {type(asset).__name__} can't be zipped", property="code")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HandlerError(f"{path}: {error.strerror}", property="code") from error
