"""The embedded AWS API: ministack behind a proxy that adds what it lacks."""
