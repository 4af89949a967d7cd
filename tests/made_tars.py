"""Tars of every format and with all kinds of entries, by hypothesis and by hand."""

import io
import tarfile

from hypothesis import strategies as st

FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
TYPES = (
    tarfile.REGTYPE,
    tarfile.AREGTYPE,
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
    tarfile.CONTTYPE,
)
NAMES = st.text(
    st.sampled_from("ab/. é語\udce9\udcff\n=") | st.characters(exclude_characters="\0"),
    min_size=1,
    max_size=40,
).map(lambda text: text.replace("\ud800", "a"))
LONG = st.integers(90, 300).flatmap(
    lambda size: st.sampled_from(["n" * size, "dir/" * (size // 4)])
)


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    form = draw(st.sampled_from(FORMATS))
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=form, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for name in draw(st.lists(NAMES | LONG, max_size=8)):
            member = tarfile.TarInfo(name)
            member.type = draw(st.sampled_from(TYPES))
            member.linkname = draw(NAMES | LONG)
            member.mtime = draw(st.integers(0, 2**34) | st.floats(0, 2**31))
            member.uid = draw(st.integers(0, 2**31))
            is_file = member.isreg() and not name.endswith("/")  # which old formats call a folder
            content = draw(st.binary(max_size=1500)) if is_file else b""
            member.size = len(content) if member.isreg() else draw(st.integers(0, 9999))
            if form == tarfile.PAX_FORMAT and draw(st.booleans()):
                member.pax_headers = {"SCHILY.xattr.user.note": draw(st.text(max_size=20))}
            try:
                tar.addfile(member, io.BytesIO(content) if member.isreg() else None)
            except (ValueError, UnicodeError):  # too long, or no text, for this format
                continue
    return out.getvalue()


def tar_of(*entries: tuple[str, bytes, bytes, str], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of (name, type, content, link)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, kind, content, link in entries:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(content), link
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()
