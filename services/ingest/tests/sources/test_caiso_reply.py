"""What CAISO answers with, in both codings: attachments in lines, without end, broken, or not there, are read or refused."""

import base64
import gzip
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.ingest.sources.asking import Reply
from headworks.ingest.sources.caiso import (
    NotPublished,
    award_document,
    read_awards,
)
from headworks.ingest.sources.fault import SourceFault
from headworks.simulators.awards import award_file

RESOURCE, DAY = "MDFKRL_2_PROJCT", date(2026, 2, 17)


def coded(content: bytes) -> bytes:
    return base64.b64encode(gzip.compress(content))


def doc_attach(value: bytes) -> Reply:
    return Reply(
        "CAISO", 200, "text/xml", b"<E><ISOAttachment><AttachmentValue>%b</AttachmentValue></ISOAttachment></E>" % value
    )


def multipart(attachment: bytes, digest: bytes | None = None) -> Reply:
    digest = digest or base64.b64encode(hashlib.sha1(attachment).digest())
    soap = b"<E><attachmentHash><hashValue>\n%b\n</hashValue></attachmentHash></E>" % digest
    body = b"--b\r\n\r\n%b\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n%b\r\n--b--\r\n" % (soap, attachment)
    return Reply("CAISO", 200, 'multipart/related; boundary="b"', body)


def test_no_data_of_the_real_service_is_known_in_every_place(headworks_data: Path) -> None:
    content = (headworks_data / "caiso_no_data.xml").read_bytes()
    plain = Reply("CAISO", 200, "text/xml", content)
    for reply in (plain, replace(plain, status=500), doc_attach(coded(content)), multipart(coded(content))):
        assert isinstance(award_document(reply), NotPublished)


def test_an_attachment_in_lines_is_read_and_its_hash_is_of_what_came() -> None:
    lines = base64.encodebytes(gzip.compress(b"<MarketAwards/>" * 1)).replace(b"\n", b"\r\n").strip()
    document = award_document(multipart(lines))
    assert not isinstance(document, NotPublished)
    assert document.tag == "MarketAwards"


def broken_deflate() -> bytes:
    whole = bytearray(gzip.compress(award_file(DAY)))
    whole[40:60] = b"\xff" * 20
    return base64.b64encode(bytes(whole))


@pytest.mark.parametrize(
    "value",
    [
        b"not base64!",
        base64.b64encode(b"no gzip"),
        coded(award_file(DAY))[:400],
        base64.b64encode(gzip.compress(award_file(DAY))[:-9]),
        broken_deflate(),
        base64.b64encode(zlib.compress(b"<a/>")),
    ],
)
@pytest.mark.parametrize("wrap", [doc_attach, multipart])
def test_an_attachment_that_is_no_base64_of_gzip_is_refused(wrap: Callable[[bytes], Reply], value: bytes) -> None:
    with pytest.raises(SourceFault, match="no base64 of gzip"):
        award_document(wrap(value))


def test_a_file_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headworks.ingest.sources.caiso.MAX_FILE_BYTES", 1 << 20)
    with pytest.raises(SourceFault, match="larger than 1048576 bytes"):
        award_document(doc_attach(coded(b" " * (2 << 20))))


def test_a_file_without_the_resource_is_no_publication_of_nothing() -> None:
    document = award_document(doc_attach(coded(award_file(DAY))))
    assert not isinstance(document, NotPublished)
    assert read_awards(document, DAY, "OTHER", "EN") == ()


@given(
    st.binary(max_size=300), st.sampled_from(["text/xml", "multipart/related; boundary=b", "multipart/x", "Ünicode"])
)
def test_no_reply_whatever_raises_anything_but_a_source_fault(content: bytes, content_type: str) -> None:
    for reply in (Reply("CAISO", 200, content_type, content), doc_attach(coded(content)), multipart(content)):
        try:
            document = award_document(reply)
            if not isinstance(document, NotPublished):
                read_awards(document, DAY, RESOURCE, "EN")
        except SourceFault:
            pass


LAUGHS = (
    b'<!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%b">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
    + b"]><l><MW>&j;</MW></l>"
)
OUTSIDE = b'<!DOCTYPE l [<!ENTITY f SYSTEM "file:///etc/hostname">]><l><MW>&f;</MW></l>'


@pytest.mark.parametrize("bomb", [LAUGHS, OUTSIDE, b"<a>" * 100_000])
def test_xml_bombs_are_not_unfolded(bomb: bytes) -> None:
    for reply in (Reply("CAISO", 200, "text/xml", bomb), doc_attach(coded(bomb))):
        try:
            document = award_document(reply)
        except SourceFault:
            continue
        assert not isinstance(document, NotPublished)
        assert not document.findtext("MW")
        assert read_awards(document, DAY, RESOURCE, "EN") == ()
