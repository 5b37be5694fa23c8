"""The reserved words that the settings refuse, against those of MySQL."""

from settings.reserved_words import RESERVED_WORDS
from tests.support.mysql_server import PrivateMysqlServer


def test_settings_know_each_reserved_word(server: PrivateMysqlServer) -> None:
    """The settings' list may have more: words of other releases."""
    with server.root() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT LOWER(word) FROM information_schema.keywords WHERE reserved = 1")
        words = {word for (word,) in cursor.fetchall()}
    assert "select" in words
    assert set() == words - RESERVED_WORDS
