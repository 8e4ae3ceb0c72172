"""The recipe's part on personal data: which kinds, and what becomes of a row that holds one."""

from schemas.frozen import Frozen


class Privacy(Frozen):
    """Personal data; documentation examples (example.com, 555-01xx) are not people."""

    email: bool = True
    phone: bool = True
    id_number: bool = True
