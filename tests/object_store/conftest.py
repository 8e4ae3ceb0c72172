"""An S3 server for whoever asks for one."""

from tests.object_store.s3_server import s3

__all__ = ["s3"]
