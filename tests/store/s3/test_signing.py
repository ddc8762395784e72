"""SigV4: published examples, and whatever hypothesis thinks of beside Amazon's own implementation."""

from __future__ import annotations

import datetime as dt
import hashlib
from urllib.parse import unquote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from hypothesis import given
from hypothesis import strategies as st

from worldmail.store.s3.credentials import Credentials
from worldmail.store.s3.signing import Query, Request, canonical_path, canonical_query, sign

# "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)", Amazon S3 API Reference.
EXAMPLE = Credentials(key_id="AKIAIOSFODNN7EXAMPLE", secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
HOST = {"host": "examplebucket.s3.amazonaws.com"}
MOMENT = dt.datetime(2013, 5, 24, tzinfo=dt.UTC).timestamp()
PUBLISHED = {
    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41": Request(
        method="GET", path="/test.txt", headers={**HOST, "range": "bytes=0-9"}
    ),
    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd": Request(
        method="PUT",
        path=canonical_path("/test$file.text"),
        headers={**HOST, "date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
        digest=hashlib.sha256(b"Welcome to Amazon S3.").hexdigest(),
    ),
    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543": Request(
        method="GET", path="/", query=[("lifecycle", "")], headers=HOST
    ),
    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7": Request(
        method="GET", path="/", query=[("prefix", "J"), ("max-keys", "2")], headers=HOST
    ),
}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
queries = st.lists(st.tuples(texts.filter(bool), texts), max_size=5, unique_by=lambda pair: pair[0])


@pytest.mark.parametrize("signature", PUBLISHED)
def test_a_published_example_has_its_published_signature(signature: str) -> None:
    signed = sign(PUBLISHED[signature], EXAMPLE, "us-east-1", MOMENT)
    assert signed["authorization"].rpartition("=")[2] == signature


@given(key=texts, query=queries, token=st.none() | words, key_id=words, secret=words)
def test_amazons_own_implementation_signs_the_same(
    key: str, query: Query, token: str | None, key_id: str, secret: str
) -> None:
    path = canonical_path("/bucket/" + key)
    request = Request(method="PUT", path=path, query=query, headers={"host": "s3.example.test", "range": "bytes=1-2"})
    ours = sign(request, Credentials(key_id=key_id, secret=secret, token=token), "eu-west-1", MOMENT)
    line = canonical_query(query)
    theirs = AWSRequest(
        method="PUT",
        url=f"https://s3.example.test{path}" + (f"?{line}" if line else ""),
        headers={"range": "bytes=1-2"},
    )
    theirs.context["timestamp"] = ours["x-amz-date"]
    theirs.headers["X-Amz-Content-SHA256"] = request.digest
    signer = S3SigV4Auth(TheirCredentials(key_id, secret, token), "s3", "eu-west-1")
    theirs.headers["X-Amz-Date"] = ours["x-amz-date"]
    if token is not None:
        theirs.headers["X-Amz-Security-Token"] = token
    to_sign = signer.string_to_sign(theirs, signer.canonical_request(theirs))
    assert ours["authorization"].rpartition("=")[2] == signer.signature(to_sign, theirs)


@given(texts)
def test_a_path_has_nothing_in_it_that_means_something_and_is_read_back(text: str) -> None:
    path = canonical_path("/" + text)
    assert not set(path) & set("?# %+&=\r\n") - {"%"}
    assert path.isascii()
    assert unquote(path) == "/" + text
    assert urlsplit("https://h" + path).path == path


@given(queries)
def test_a_query_is_sorted_by_octets_and_read_back(query: Query) -> None:
    line = canonical_query(query)
    pairs = [tuple(part.split("=")) for part in line.split("&")] if line else []
    assert pairs == sorted(pairs)
    assert sorted((unquote(name), unquote(value)) for name, value in pairs) == sorted(query)
    assert not set(line) & set(" +/?#\r\n")


def test_another_second_day_region_or_body_is_another_signature() -> None:
    request = PUBLISHED["fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"]
    made = [
        sign(request, EXAMPLE, region, moment)["authorization"]
        for region in ("us-east-1", "eu-west-1")
        for moment in (MOMENT, MOMENT + 1, MOMENT + 86400)
    ]
    assert len(set(made)) == len(made)
