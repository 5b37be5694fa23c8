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
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in sorted(_entries("", archive, base).items()):
            entry = zipfile.ZipInfo(name, FIXED_DATE)
            entry.external_attr = FILE_MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, content)
    return buffer.getvalue()


def content_hash(archive: object, *, base: Path) -> str:
    """Return the hash of an archive's files. Raises HandlerError as `zip_archive` does."""
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
        return _directory(name, base / asset.path)
    raise HandlerError(f"an archive of kind {type(asset).__name__} can't be zipped", property="code")


def _directory(name: str, directory: Path) -> dict[str, bytes]:
    if not directory.is_dir():
        raise HandlerError(f"{directory} is not a directory", property="code")
    return {
        "/".join(filter(None, (name, path.relative_to(directory).as_posix()))): _read(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HandlerError(f"{path}: {error.strerror}", property="code") from error
