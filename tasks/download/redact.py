"""Credentials stay out of what the HTTP libraries log."""

import logging

from schemas.urls import redacted

_LOGGERS = ("httpx", "httpx2", "huggingface_hub.file_download", "huggingface_hub.utils._http")


def redact_logs() -> None:
    """Let the HTTP libraries log what they like, but no credential; safe to call again."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
    logging.getLogger("httpcore").setLevel(logging.INFO)  # its DEBUG lines hold whole headers
    logging.getLogger("httpcore2").setLevel(logging.INFO)


class _Redacting(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), ()
        return True


_FILTER = _Redacting()
