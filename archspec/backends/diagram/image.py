"""An image as bytes that a notebook shows."""

from __future__ import annotations


class Image(bytes):
    """The bytes of an image, and its format. A notebook shows it, unless it is DOT.

    >>> image = Image(b"digraph {}", "dot")
    >>> image == b"digraph {}", image.format
    (True, 'dot')
    """

    format: str

    def __new__(cls, data: bytes, format: str) -> Image:
        """Create an image from its bytes."""
        image = super().__new__(cls, data)
        image.format = format
        return image

    def __getnewargs__(self) -> tuple[bytes, str]:  # type: ignore[override]
        return bytes(self), self.format

    def _repr_svg_(self) -> str | None:
        return self.decode("utf-8") if self.format == "svg" else None

    def _repr_png_(self) -> bytes | None:
        return bytes(self) if self.format == "png" else None

    def _repr_pdf_(self) -> bytes | None:
        return bytes(self) if self.format == "pdf" else None

    def __repr__(self) -> str:
        return f"Image({self.format}, {len(self):,} bytes)"

    def __str__(self) -> str:
        return repr(self)
